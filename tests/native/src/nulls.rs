//! A program in C that calls every function of the header with NULL for each of its pointers in turn, and for all at once,
//! with otherwise valid arguments.

use crate::header::Function;
use std::fmt::Write;

/// Pointers that may be NULL: a parameter's name, and the functions it may be NULL in, all of them if there is none.
const MAY_BE_NULL: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("user_data", &[]),
    ("destructor", &[]),
    ("argvlen", &[]),
    ("lengths", &[]),
    ("id", &[]),
    ("length", &[]),
    ("credential", &["keyless_client_connect", "keyless_token_source_new"]),
    ("options", &["keyless_token_source_new"]),
    ("reply", &["keyless_client_execute", "keyless_client_execute_on", "keyless_client_execute_pipeline"]),
    ("callback", &["keyless_client_submit", "keyless_client_submit_pipeline", "keyless_log_set"]),
];

fn may_be_null(function: &Function, name: &str) -> bool {
    MAY_BE_NULL
        .iter()
        .any(|(known, only)| *known == name && (only.is_empty() || only.contains(&&*function.name)))
}

fn is_pointer(kind: &str) -> bool {
    kind.ends_with('*') || kind.ends_with("_callback") || kind == "keyless_destructor"
}

/// A valid argument.
fn valid(function: &Function, kind: &str, name: &str) -> String {
    let handle = kind.trim_start_matches("const ").trim_end_matches(['*', ' ']);
    match kind {
        "keyless_error **" => "&error".into(),
        "const char *const *" if name == "argv" => "ping".into(),
        "const char *const *" => "names".into(),
        "const size_t *" => "lengths".into(),
        "const char *" => "text".into(),
        "char *" => "buffer".into(),
        "void *" => "&nothing".into(),
        "size_t *" => "&length".into(),
        "int64_t *" => "&integer".into(),
        "uint64_t *" => "&identity".into(),
        "double *" => "&number".into(),
        "bool *" => "&boolean".into(),
        "const keyless_reply **" | "const keyless_completion **" => {
            format!("&borrowed_{}", &handle["keyless_".len()..])
        }
        "uint64_t" => "20".into(),
        "int64_t" | "int" | "uint32_t" => "1".into(),
        "double" => "0.5".into(),
        "bool" => "true".into(),
        "size_t" => match name {
            "argc" | "count" => "1".into(),
            "index" => "0".into(),
            name if name.ends_with("length") => "4".into(),
            _ => "sizeof buffer".into(),
        },
        _ if kind.ends_with("**") => format!("&made_{}", &handle["keyless_".len()..]),
        _ if kind.ends_with('*') => format!("one_{}", &handle["keyless_".len()..]),
        _ if kind.ends_with("_callback") => {
            format!("on_{}", &kind["keyless_".len()..kind.len() - "_callback".len()])
        }
        "keyless_destructor" => "on_destruction".into(),
        _ => panic!("{} has a parameter {name} of the type {kind}: say what is valid for it", function.name),
    }
}

/// One call; what must come of it is said by `null`, the parameter that is NULL, or all of them.
fn call(function: &Function, null: Option<usize>) -> String {
    let parameters = &function.parameters;
    let arguments: Vec<String> = parameters
        .iter()
        .enumerate()
        .map(|(at, (kind, name))| {
            let nulled = null.is_none_or(|null| null == at);
            if is_pointer(kind) && nulled { "NULL".into() } else { valid(function, kind, name) }
        })
        .collect();
    let call = format!("{}({})", function.name, arguments.join(", "));
    let needed = |at: usize| is_pointer(&parameters[at].0) && !may_be_null(function, &parameters[at].1);
    let refused = null.map_or_else(|| (0..parameters.len()).any(needed), needed);
    let handle_is_null = null.is_none_or(|null| null == 0);
    match &*function.returns {
        "keyless_status" => format!("    STATUS({call}, {refused});\n"),
        "void" => format!("    {call};\n"),
        // Gives an error whatever it is asked about.
        _ if function.name == "keyless_reply_unexpected" => format!("    keyless_error_free({call});\n"),
        _ if !handle_is_null => format!("    (void){call};\n"),
        returns if returns.starts_with("const char") => format!("    NO_TEXT({call});\n"),
        returns if returns.ends_with('*') => format!("    NOTHING({call});\n"),
        _ => format!("    NO_NUMBER({call});\n"),
    }
}

/// Frees what functions have made, and forgets what they have put.
const AGAIN: &str = "    again();\n";

/// The program's generated part: `all_functions`, and `functions_of_event` and others for those that need what only a
/// callback has. `c/nulls.c` includes it.
pub fn program(functions: &[Function]) -> String {
    let mut parts = [
        ("functions_of_event", "keyless_event", String::new()),
        ("functions_of_token_request", "keyless_token_request", String::new()),
        ("functions_of_claims", "keyless_claims", String::new()),
        ("all_functions", "", String::new()),
    ];
    // Afterwards the client is of no use.
    let (last, others): (Vec<_>, Vec<_>) =
        functions.iter().partition(|function| function.name == "keyless_client_close");
    for function in others.into_iter().chain(last) {
        let first = function.parameters.first().map_or("", |(kind, _)| kind);
        let consumes = function.name.ends_with("_free")
            || ["keyless_token_request_complete", "keyless_token_request_fail"].contains(&&*function.name);
        let part = parts.iter_mut().find(|(_, handle, _)| {
            handle.is_empty() || !consumes && first.trim_start_matches("const ") == format!("{handle} *")
        });
        let (_, _, code) = part.expect("the last one takes all");
        if function.parameters.iter().any(|(kind, _)| is_pointer(kind)) {
            code.push_str(&call(function, None));
            code.push_str(AGAIN);
        }
        if consumes {
            continue;
        }
        for (at, (kind, _)) in function.parameters.iter().enumerate() {
            if is_pointer(kind) {
                code.push_str(&call(function, Some(at)));
                code.push_str(AGAIN);
            }
        }
    }
    parts.iter().fold(String::new(), |mut program, (name, _, code)| {
        let _ = write!(program, "static void {name}(void)\n{{\n{code}}}\n\n");
        program
    })
}
