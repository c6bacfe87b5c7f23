//! What `make install` installs is found by pkg-config and `CMake`, shared and static, wherever it is moved to.

use keyless_emulator::Emulator;
use keyless_native::install::{Installed, make_install, scratch, shell, succeeded};
use keyless_native::{command, emulator, here, root, run};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// All files and links below a directory, by their paths in it.
fn files(directory: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(next).expect("a directory") {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("its type").is_dir() {
                left.push(entry.path());
            } else {
                found.insert(entry.path().strip_prefix(directory).expect("below").to_owned());
            }
        }
    }
    found
}

/// The libraries that a program asks the loader for.
fn needed(program: &Path) -> String {
    let output = Command::new("readelf").arg("--dynamic").arg(program).output().expect("readelf");
    let all = succeeded("readelf", &output);
    all.lines().filter(|line| line.contains("(NEEDED)")).collect()
}

/// A program with the library that it was linked with: static ones need none, and `CMake`'s know where theirs is.
fn works(program: &Path, libdir: Option<&Path>, shared: bool, emulator: &Emulator) {
    let needed = needed(program);
    assert_eq!(needed.contains("libkeyless.so.0.1]"), shared, "{needed}");
    let mut command = command(program, emulator);
    command.env_remove("LD_LIBRARY_PATH");
    if let Some(libdir) = libdir {
        command.env("LD_LIBRARY_PATH", libdir);
    }
    assert_eq!(run(command), "value\n");
}

fn with_pkg_config(installed: &Installed, emulator: &Emulator) {
    let build = installed.build("pkg-config");
    let packages = [installed.libdir().join("pkgconfig")];
    let source = here().join("c/smoke.c");
    for (package, shared) in [("keyless", true), ("keyless-static", false)] {
        let line = format!(
            "cc -std=c99 $STRICT $(pkg-config --cflags {package}) {} -o {package} $(pkg-config --libs {package})",
            source.display()
        );
        succeeded(package, &shell(&line, &build, &packages));
        works(&build.join(package), shared.then(|| installed.libdir()).as_deref(), shared, emulator);
    }
    // C++ sees the same installation.
    let line = "echo 'int main() {}' | c++ -x c++ -std=c++17 $STRICT -fsyntax-only \
                $(pkg-config --cflags keyless) -include keyless.hpp -";
    succeeded("keyless.hpp", &shell(line, &build, &packages));
    let version = shell("pkg-config --modversion keyless keyless-static", &build, &packages);
    let expected = env!("CARGO_PKG_VERSION");
    assert_eq!(succeeded("pkg-config", &version), format!("{expected}\n{expected}\n"));
    // What a linker must be told where libkeyless.a is the only one.
    let line = shell("pkg-config --static --libs keyless", &build, &packages);
    assert!(succeeded("pkg-config", &line).contains("-lkeyless -lgcc_s"));
}

fn cmake(installed: &Installed, name: &str, arguments: &[&str]) -> (PathBuf, Output) {
    let build = installed.build(name);
    let output = Command::new("cmake")
        .args(["-S".as_ref(), here().join("consumer").as_os_str(), "-B".as_ref(), build.as_os_str()])
        .arg(format!("-DCMAKE_PREFIX_PATH={}", installed.prefix().display()))
        .arg(format!("-DSOURCE={}", here().join("c/smoke.c").display()))
        .args(arguments)
        .output();
    (build, output.expect("cmake"))
}

fn with_cmake(installed: &Installed, name: &str, arguments: &[&str], shared: bool, emulator: &Emulator) {
    let (build, configured) = cmake(installed, name, arguments);
    succeeded(name, &configured);
    let made = Command::new("cmake").arg("--build").arg(&build).output();
    succeeded(name, &made.expect("cmake"));
    works(&build.join("consumer"), None, shared, emulator);
}

#[test]
fn a_moved_installation_serves_pkg_config_and_cmake_shared_and_static() {
    let emulator = emulator(Duration::from_hours(1));
    let installed = Installed::moved("lib");

    let mut expected: BTreeSet<PathBuf> = [
        "lib/libkeyless.a",
        "lib/libkeyless.so",
        "lib/libkeyless.so.0.1",
        "lib/libkeyless.so.0.1.0",
        "lib/pkgconfig/keyless.pc",
        "lib/pkgconfig/keyless-static.pc",
        "lib/cmake/keyless/keylessConfig.cmake",
        "lib/cmake/keyless/keylessConfigVersion.cmake",
        "share/doc/keyless/CHANGELOG.md",
        "share/doc/keyless/LICENSE",
        "share/doc/keyless/README.md",
    ]
    .map(PathBuf::from)
    .into();
    expected.extend(files(&root().join("include")).into_iter().map(|path| Path::new("include").join(path)));
    assert_eq!(files(&installed.prefix()), expected);

    with_pkg_config(&installed, &emulator);
    with_cmake(&installed, "default", &[], true, &emulator);
    with_cmake(&installed, "not-shared", &["-DBUILD_SHARED_LIBS=OFF"], false, &emulator);
    with_cmake(
        &installed,
        "component",
        &["-DWANTED=0.1.0;COMPONENTS;static", "-DBUILD_SHARED_LIBS=ON"],
        false,
        &emulator,
    );
    with_cmake(
        &installed,
        "target",
        &["-DTARGET=keyless::keyless_shared", "-DBUILD_SHARED_LIBS=OFF"],
        true,
        &emulator,
    );
}

#[test]
fn cmake_is_told_what_is_not_there() {
    let installed = Installed::moved("lib");
    for (name, wanted, reason) in [
        ("later", "0.1.99", "0.1.99"),
        ("other-interface", "0.2", "0.2"),
        ("older-interface", "0.0.1", "0.0.1"),
        ("component", "COMPONENTS;tls", "keyless has the components shared and static, not tls"),
    ] {
        let (_, configured) = cmake(&installed, name, &[&format!("-DWANTED={wanted}")]);
        assert!(!configured.status.success(), "{name}");
        let errors = String::from_utf8_lossy(&configured.stderr);
        let errors = errors.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(errors.contains(reason), "{errors}");
    }
    for (name, wanted) in
        [("same", "0.1.0;EXACT"), ("range", "0.1...0.3"), ("optional", "OPTIONAL_COMPONENTS;tls")]
    {
        let (_, configured) = cmake(&installed, name, &[&format!("-DWANTED={wanted}")]);
        succeeded(name, &configured);
    }
}

#[test]
fn a_directory_for_libraries_of_its_own_is_honoured() {
    let emulator = emulator(Duration::from_hours(1));
    let installed = Installed::moved("lib/x86_64-linux-gnu");
    assert!(installed.libdir().join("libkeyless.so.0.1").exists());
    with_pkg_config(&installed, &emulator);
    with_cmake(&installed, "default", &[], true, &emulator);
}

#[test]
fn it_says_where_it_cannot_write_before_it_builds() {
    let directory = scratch();
    let file = directory.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let output = make_install().arg(format!("PREFIX={}", file.join("prefix").display())).output();
    let output = output.expect("make");
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains(&format!("Nothing can be written to {}", file.display())), "{errors}");
    assert!(output.stdout.is_empty(), "{output:?}");
}
