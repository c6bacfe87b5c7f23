//! Questions on a terminal. Where there is none, an error says which flag or variable to give instead.

use std::io::{self, IsTerminal, Write};

/// Whether there is somebody to ask.
pub(crate) fn possible() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Asks until there is an answer.
pub(crate) fn text(question: &str, instead: &str) -> Result<String, String> {
    check(question, instead)?;
    loop {
        print!("{question}: ");
        io::stdout().flush().map_err(|error| error.to_string())?;
        let mut answer = String::new();
        if io::stdin().read_line(&mut answer).map_err(|error| error.to_string())? == 0 {
            return Err(format!("{question}: no answer."));
        }
        let answer = answer.trim();
        if !answer.is_empty() {
            return Ok(answer.to_owned());
        }
    }
}

/// Asks for a secret; what is typed is not shown.
pub(crate) fn secret(question: &str, instead: &str) -> Result<String, String> {
    check(question, instead)?;
    let answer = rpassword::prompt_password(format!("{question}: ")).map_err(|error| error.to_string())?;
    if answer.is_empty() { Err(format!("{question}: no answer.")) } else { Ok(answer) }
}

fn check(question: &str, instead: &str) -> Result<(), String> {
    if possible() {
        Ok(())
    } else {
        Err(format!("{question}: missing, and there is no terminal to ask on. Give {instead}."))
    }
}
