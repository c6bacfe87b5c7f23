//! What a token says of itself: as a whole text, and as the payload of a well-formed token.
#![no_main]

use keyless::token::Claims;

libfuzzer_sys::fuzz_target!(|text: &str| {
    for token in [text.to_owned(), format!("e30.{}.c2ln", base64url(text.as_bytes()))] {
        if let Ok(claims) = Claims::decode(&token) {
            let _ = (
                claims.expires_at(),
                claims.object_id(),
                claims.audience_warning("https://redis.azure.com/.default"),
            );
        }
    }
});

/// Base64url without padding, so that the fuzzer need not find it out.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for digit in 0..=group.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}
