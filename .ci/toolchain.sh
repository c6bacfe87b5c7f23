# shellcheck shell=bash
# Sourced by the scripts here: makes sure that cargo works.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# rustup looks for its toolchains below HOME. Where HOME is another one now, they are still beside the cargo on PATH.
if command -v cargo >/dev/null && ! cargo --version >/dev/null 2>&1; then
    home=$(dirname "$(dirname "$(dirname "$(readlink -f "$(command -v cargo)")")")")
    export RUSTUP_HOME="${RUSTUP_HOME:-$home/.rustup}" CARGO_HOME="${CARGO_HOME:-$home/.cargo}"
fi
if ! cargo --version >/dev/null; then
    echo "Rust is missing: install it from https://rustup.rs (version 1.95 or later)." >&2
    exit 1
fi
