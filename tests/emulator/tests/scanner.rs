//! The scanner finds the same sign-ins and passes the same bytes, however the stream is cut.

use keyless_emulator::Scanner;
use proptest::{collection::vec, prelude::*};

type Argument = Vec<u8>;

fn argument() -> impl Strategy<Value = Argument> {
    prop_oneof![
        vec(any::<u8>(), 0..40),
        prop::sample::select(vec!["AUTH", "auth", "HELLO", "GET", "\r\n", "*3\r\n$4\r\nAUTH\r\n", "$"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

fn command() -> impl Strategy<Value = Vec<Argument>> {
    vec(argument(), 1..5)
}

fn encode(command: &[Argument]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
    for argument in command {
        bytes.extend(format!("${}\r\n", argument.len()).bytes());
        bytes.extend(argument);
        bytes.extend(b"\r\n");
    }
    bytes
}

fn is_sign_in(command: &[Argument]) -> bool {
    ["AUTH", "HELLO"].iter().any(|name| command[0].eq_ignore_ascii_case(name.as_bytes()))
}

proptest! {
    #[test]
    fn any_split_gives_the_same(commands in vec(command(), 0..20), cuts in vec(1_usize..60, 1..200)) {
        let stream: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
        let mut expected = Vec::new();
        let mut expected_sign_ins = Vec::new();
        for command in &commands {
            if is_sign_in(command) {
                expected.extend(b"<rewritten>");
                expected_sign_ins.push(command.clone());
            } else {
                expected.extend(encode(command));
            }
        }
        let (mut scanner, mut out, mut sign_ins) = (Scanner::default(), Vec::new(), Vec::new());
        let (mut rest, mut cuts) = (&stream[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            scanner.feed(piece, &mut out, |arguments, out| {
                sign_ins.push(arguments.iter().map(|argument| argument.to_vec()).collect::<Vec<_>>());
                out.extend(b"<rewritten>");
                true
            });
            rest = later;
        }
        prop_assert_eq!(out, expected);
        prop_assert_eq!(sign_ins, expected_sign_ins);
        prop_assert_eq!(scanner.take_commands(), commands.len() as u64);
    }

    #[test]
    fn any_bytes_pass(stream in vec(any::<u8>(), 0..400), cut in 1_usize..50) {
        let (mut scanner, mut out) = (Scanner::default(), Vec::new());
        for piece in stream.chunks(cut) {
            scanner.feed(piece, &mut out, |_, _| false);
        }
        // What is not passed yet is the beginning of something, never a hole.
        prop_assert!(stream.starts_with(&out));
    }
}

#[test]
fn other_commands_are_found_by_their_names() {
    let (mut scanner, mut out, mut seen) = (Scanner::looking_for(&["SELECT"]), Vec::new(), 0);
    for byte in b"*2\r\n$6\r\nselect\r\n$1\r\n0\r\n*1\r\n$6\r\nSELECX\r\nSELECT 1\r\nAUTH a\r\n" {
        scanner.feed(&[*byte], &mut out, |_, _| {
            seen += 1;
            true
        });
    }
    assert_eq!((out, seen), (b"*1\r\n$6\r\nSELECX\r\n".to_vec(), 3));
}

#[test]
fn lines_typed_by_hand_are_read_too() {
    let (mut scanner, mut out, mut seen) = (Scanner::default(), Vec::new(), Vec::new());
    for piece in ["PING\r\nau", "th  me se", "cret\r\n\r\nGET a\n*1\r\n$4\r\nPING\r\n"] {
        scanner.feed(piece.as_bytes(), &mut out, |arguments, out| {
            seen = arguments.iter().map(|argument| argument.to_vec()).collect();
            out.extend(b"<rewritten>");
            true
        });
    }
    assert_eq!(out, b"PING\r\n<rewritten>\r\nGET a\n*1\r\n$4\r\nPING\r\n");
    assert_eq!(seen, [b"auth".to_vec(), b"me".to_vec(), b"secret".to_vec()]);
}

#[test]
fn a_million_commands_are_scanned_quickly() {
    let stream = "*3\r\n$3\r\nSET\r\n$8\r\nkey:1234\r\n$16\r\n0123456789abcdef\r\n".repeat(100_000);
    let (mut scanner, mut out) = (Scanner::default(), Vec::new());
    let start = std::time::Instant::now();
    for _ in 0..10 {
        for piece in stream.as_bytes().chunks(65_536) {
            out.clear();
            scanner.feed(piece, &mut out, |_, _| false);
        }
    }
    assert_eq!(scanner.take_commands(), 1_000_000);
    // Twenty times slower than it is, and still no burden.
    assert!(start.elapsed().as_secs() < 4, "{:?}", start.elapsed());
}
