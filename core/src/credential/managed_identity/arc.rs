//! The challenge of Azure Arc: its agent names a file that only those may read whom it trusts, and wants to see its
//! content. Which file that may be is checked as the Azure SDKs do: whoever answers on the agent's port must not
//! make this process read out any other one.

use crate::error::{Error, ErrorCode, Result};
use crate::secret::Secret;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The longest key.
const LONGEST: u64 = 4096;

/// Where the agent keeps its keys; `None` where there is no agent for the platform.
pub(super) fn key_directory(program_data: Option<String>) -> Option<PathBuf> {
    if cfg!(windows) {
        Some(Path::new(&program_data?).join("AzureConnectedMachineAgent").join("Tokens"))
    } else {
        Some("/var/opt/azcmagent/tokens".into())
    }
}

/// The content of the file that the challenge (`WWW-Authenticate`) names.
///
/// Fails with [`ErrorCode::CredentialUnavailable`] unless it is a file `*.key` of at most 4096 bytes right in
/// `directory`.
pub(super) fn answer(challenge: &str, directory: &Path) -> Result<Secret> {
    let refused = |what: &str| {
        Error::new(
            ErrorCode::CredentialUnavailable,
            format!("The challenge of Azure Arc cannot be answered: {what}."),
            "Let the process' user read the agent's keys (group himds), and check that nothing but the agent answers on its port.",
        )
    };
    let scheme = challenge.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("basic"));
    let realm =
        scheme.and_then(|_| challenge.split_once("realm=")).map(|(_, realm)| realm.trim().trim_matches('"'));
    let path = Path::new(realm.filter(|realm| !realm.is_empty()).ok_or_else(|| refused("it names no file"))?);
    if path.extension().is_none_or(|extension| extension != "key") {
        return Err(refused("its file is no key file"));
    }
    // Links are followed first: what counts is where the file really is.
    let really = |path: &Path| path.canonicalize();
    let (file, directory) = match (really(path), really(directory)) {
        (Ok(file), Ok(directory)) => (file, directory),
        (Err(error), _) | (_, Err(error)) => {
            return Err(refused(&format!("its file is not there ({error})")).retryable(true));
        }
    };
    if file.parent() != Some(directory.as_path()) {
        return Err(refused("its file is not where the agent keeps its keys"));
    }
    let mut key = String::new();
    let opened = File::open(&file).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut key));
    let key = Secret::new(key);
    match opened {
        Err(error) => Err(refused(&format!("its file cannot be read ({error})")).retryable(true)),
        Ok(read) if read as u64 > LONGEST => Err(refused("its file is longer than 4096 bytes")),
        Ok(_) => Ok(key),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_a_short_key_file_in_the_right_place_is_read_out() {
        let root = std::env::temp_dir().join(format!("keyless-arc-{}", std::process::id()));
        let tokens = root.join("tokens");
        std::fs::create_dir_all(tokens.join("deeper")).unwrap();
        let write = |name: &str, size: usize| std::fs::write(root.join(name), "k".repeat(size)).unwrap();
        for (name, size) in [
            ("tokens/a.key", 4096),
            ("tokens/b.key", 4097),
            ("tokens/c.txt", 1),
            ("d.key", 1),
            ("tokens/deeper/e.key", 1),
        ] {
            write(name, size);
        }
        std::os::unix::fs::symlink(root.join("d.key"), tokens.join("f.key")).unwrap();
        let ask = |challenge: &str| answer(&challenge.replace('@', root.to_str().unwrap()), &tokens);
        assert_eq!(ask("Basic realm=@/tokens/a.key").unwrap().expose().len(), 4096);
        assert!(ask("basic realm=\"@/tokens/a.key\"").is_ok());
        for (challenge, says) in [
            ("Basic realm=@/tokens/b.key", "4096"),
            ("Basic realm=@/tokens/c.txt", "no key file"),
            ("Basic realm=@/d.key", "not where"),
            ("Basic realm=@/tokens/../d.key", "not where"),
            ("Basic realm=@/tokens/deeper/e.key", "not where"),
            ("Basic realm=@/tokens/f.key", "not where"),
            ("Basic realm=@/tokens/g.key", "not there"),
            ("Basic realm=", "names no file"),
            ("Bearer realm=@/tokens/a.key", "names no file"),
            ("", "names no file"),
        ] {
            let error = ask(challenge).unwrap_err();
            assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
            assert!(error.message().contains(says), "{challenge}: {error}");
        }
        std::fs::remove_dir_all(&root).unwrap();
    }
}
