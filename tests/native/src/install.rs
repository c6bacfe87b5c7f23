//! `make install`, with the library that these tests have been built with, and the tools of its users.

use crate::{library, programs, root};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Warnings that nobody who compiles what we give should see.
pub const STRICT: &str = "-O1 -g -Wall -Wextra -Wpedantic -Wshadow -Werror";

/// A prefix in which keyless is installed, until it is dropped.
pub struct Installed {
    directory: TempDir,
    /// `LIBDIR`, below the prefix.
    libdir: &'static str,
}

impl Installed {
    /// Installs for `/opt/keyless`, as packages do, and moves that to another place, as packages should stand.
    pub fn moved(libdir: &'static str) -> Self {
        let directory = scratch();
        let stage = directory.path().join("stage");
        let output = make_install()
            .arg("PREFIX=/opt/keyless")
            .arg(format!("DESTDIR={}", stage.display()))
            .arg(format!("LIBDIR={libdir}"))
            .output();
        succeeded("make install", &output.expect("make"));
        std::fs::rename(stage.join("opt/keyless"), directory.path().join("moved")).expect("it can be moved");
        // Nothing was put elsewhere.
        std::fs::remove_dir(stage.join("opt")).expect("an empty directory");
        std::fs::remove_dir(stage).expect("an empty directory");
        Self { directory, libdir }
    }

    /// Where it is.
    pub fn prefix(&self) -> PathBuf {
        self.directory.path().join("moved")
    }

    /// Where its libraries are.
    pub fn libdir(&self) -> PathBuf {
        self.prefix().join(self.libdir)
    }

    /// A directory for what is built with it.
    pub fn build(&self, name: &str) -> PathBuf {
        let directory = self.directory.path().join(name);
        std::fs::create_dir_all(&directory).expect("a directory");
        directory
    }
}

/// A directory of its own, on the disk that has the target directory.
pub fn scratch() -> TempDir {
    tempfile::tempdir_in(programs()).expect("a directory")
}

/// `make install` of the library that is there.
pub fn make_install() -> Command {
    let mut command = Command::new("make");
    command
        .args(["--silent", "--directory"])
        .arg(root())
        .arg("install")
        .arg(format!("KEYLESS_LIBRARIES={}", library().display()));
    command
}

/// hiredis with TLS, as `.ci/hiredis` builds it.
pub fn hiredis() -> PathBuf {
    let output = Command::new(root().join(".ci/hiredis")).output().expect(".ci/hiredis");
    PathBuf::from(succeeded(".ci/hiredis", &output).trim())
}

/// Runs a line of shell in a directory, with `pkg-config` looking into those of `packages`.
pub fn shell(line: &str, directory: &Path, packages: &[PathBuf]) -> Output {
    let packages: Vec<_> = packages.iter().map(|path| path.display().to_string()).collect();
    Command::new("sh")
        .args(["-ec", line])
        .current_dir(directory)
        .env("PKG_CONFIG_PATH", packages.join(":"))
        .env("STRICT", STRICT)
        .output()
        .expect("sh")
}

/// What a command printed, which must have been a success.
pub fn succeeded(what: &str, output: &Output) -> String {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}\n{printed}\n{errors}", output.status);
    printed
}
