//! The identity that is signed in to Azure PowerShell: for development machines. `azure_identity` 1.0 does not have
//! this kind.

use super::tool::{Runner, Shell, Tool};
use super::{AccessToken, Credential, CredentialOptions, TokenFuture, TokenProvider, TokenRequest};
use crate::error::{Error, ErrorCode, Result};
use azure_identity::Executor;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ffi::OsStr;
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(super) const NAME: &str = "Azure PowerShell";

static TOOL: Tool = Tool {
    name: "Azure PowerShell",
    program: "pwsh",
    signed_out: &["Connect-AzAccount"],
    sign_in: "Run \"Connect-AzAccount\" in PowerShell.",
    install: "Install PowerShell with the module Az.Accounts and run \"Connect-AzAccount\", or use another credential.",
    by_hand: "Run \"Get-AzAccessToken\" in PowerShell by hand to see what is wrong.",
    update: "Update the module Az.Accounts.",
};

/// What stands before the token in the script's output.
const MARK: &str = "azsdk%";
/// What the script writes where the module is missing.
const NO_MODULE: &str = "keyless: no module";

#[derive(Debug)]
pub(super) struct AzurePowerShell(Runner);

impl Credential {
    /// The identity that `Connect-AzAccount` signed in. Needs `pwsh` on `PATH` (on Windows, else `powershell`) and the
    /// module `Az.Accounts` 2.2.0 or newer.
    pub fn azure_powershell() -> Result<Self> {
        Self::azure_powershell_with(&CredentialOptions::default())
    }

    /// [`azure_powershell`](Self::azure_powershell) with options, of which [`CredentialOptions::tenant_id`]
    /// matters.
    ///
    /// Fails with [`ErrorCode::InvalidOption`] when the tenant id cannot be one.
    pub fn azure_powershell_with(options: &CredentialOptions) -> Result<Self> {
        Ok(Self::from_provider(Arc::new(AzurePowerShell::new(options)?)))
    }
}

impl AzurePowerShell {
    pub(super) fn new(options: &CredentialOptions) -> Result<Self> {
        Runner::new(&TOOL, options).map(Self)
    }

    async fn ask(&self, scope: &str) -> Result<AccessToken> {
        let resource = scope.strip_suffix("/.default").unwrap_or(scope);
        let script = script(resource, self.0.tenant_id.as_deref().unwrap_or_default())?;
        let shell = self.0.shell();
        let units: Vec<u8> = script.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let arguments = format!("-NoProfile -NonInteractive -EncodedCommand {}", STANDARD.encode(units));
        let output = run(&shell, &arguments).await.map_err(|_| shell.explain())?;
        if !output.status.success() {
            return Err(shell.explain());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        if text.contains(NO_MODULE) {
            return Err(Error::new(
                ErrorCode::CredentialUnavailable,
                "PowerShell has no module Az.Accounts 2.2.0 or newer.",
                TOOL.install,
            ));
        }
        read(&text).ok_or_else(|| shell.explain())
    }
}

/// Runs PowerShell in a directory of the system, so that no program of the current one is taken for it.
async fn run(shell: &Shell, arguments: &str) -> std::io::Result<Output> {
    let (program, option, command) = if cfg!(windows) {
        let both = format!("cd /d %SYSTEMROOT% && (pwsh {arguments} || powershell {arguments})");
        ("cmd", "/C", both)
    } else {
        ("/bin/sh", "-c", format!("cd /bin && pwsh {arguments}"))
    };
    shell.run(OsStr::new(program), &[OsStr::new(option), OsStr::new(&command)]).await
}

/// The script; refuses what would leave its quotes.
fn script(resource: &str, tenant_id: &str) -> Result<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_:/".contains(c);
    if !resource.chars().all(allowed) {
        return Err(Error::new(
            ErrorCode::InvalidOption,
            "The scope holds characters that no scope has.",
            "Use https://redis.azure.com/.default unless your cloud has another one.",
        ));
    }
    // Between the two versions a token comes as plain text unless asked for otherwise, with a warning; later on it
    // never does.
    Ok(format!(
        "$ErrorActionPreference = 'Stop'
$module = Import-Module Az.Accounts -MinimumVersion 2.2.0 -PassThru -ErrorAction SilentlyContinue
if (-not $module) {{ Write-Output '{NO_MODULE}'; exit }}
$asked = @{{ ResourceUrl = '{resource}'; WarningAction = 'Ignore' }}
$tenantId = '{tenant_id}'
if ($tenantId) {{ $asked.TenantId = $tenantId }}
if ($module.Version -ge [version]'2.17.0' -and $module.Version -lt [version]'5.0.0') {{ $asked.AsSecureString = $true }}
$token = Get-AzAccessToken @asked
$text = $token.Token
if ($text -is [System.Security.SecureString]) {{ $text = [System.Net.NetworkCredential]::new('', $text).Password }}
Write-Output \"{MARK}$text%$($token.ExpiresOn.ToUnixTimeSeconds())\"
"
    ))
}

/// The token in the script's output.
fn read(output: &str) -> Option<AccessToken> {
    let line = output.lines().find_map(|line| line.trim().strip_prefix(MARK))?;
    let (token, expires) = line.split_once('%')?;
    let expires_at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(expires.parse().ok()?))?;
    Some(AccessToken { secret: token.into(), expires_at })
}

impl TokenProvider for AzurePowerShell {
    fn name(&self) -> &'static str {
        NAME
    }

    fn token<'a>(&'a self, request: &'a TokenRequest) -> TokenFuture<'a> {
        Box::pin(self.ask(&request.scope))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::tool::fake::Fake;
    use super::*;

    async fn ask(name: &str, script: &str) -> Result<AccessToken> {
        let pwsh = Fake::new("pwsh", name, script);
        let options = pwsh.options().tenant_id("contoso.onmicrosoft.com");
        AzurePowerShell::new(&options).unwrap().ask("https://redis.azure.com/.default").await
    }

    #[tokio::test]
    async fn a_token_comes_from_powershell() {
        let script = r#"test "$1 $2 $3" = "-NoProfile -NonInteractive -EncodedCommand" || exit 1
            script=$(echo "$4" | base64 -d | tr -d '\0')
            case "$script" in *"ResourceUrl = 'https://redis.azure.com'"*"'contoso.onmicrosoft.com'"*) ;; *) exit 1 ;; esac
            echo 'WARNING: something'; echo 'azsdk%t-1%1893456001'"#;
        let token = ask("ok", script).await.unwrap();
        assert_eq!(token.secret.expose(), "t-1");
        assert_eq!(token.expires_at, SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_456_001));
    }

    #[tokio::test]
    async fn every_failure_says_what_to_do() {
        for (name, script, said, advice) in [
            (
                "login",
                "echo 'Run Connect-AzAccount to login.' >&2; exit 1",
                "not signed in",
                "Connect-AzAccount",
            ),
            ("module", "echo 'keyless: no module'", "Az.Accounts", "Install"),
            ("missing", "exit 127", "not on PATH", "Install"),
            ("broken", "echo 'azsdk%hunter2'", "output", "Update"),
        ] {
            let error = ask(name, script).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
            assert!(error.message().contains(said) && error.advice().contains(advice), "{name}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn nothing_leaves_the_quotes_of_the_script() {
        assert!(script("https://redis.azure.com'; rm", "").is_err());
    }
}
