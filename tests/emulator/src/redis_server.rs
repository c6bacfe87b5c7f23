//! The real `redis-server` behind the gateways: a child process that nobody reaches but the gateways.

use std::{
    env,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::mpsc,
};

use crate::{error::Error, state::Shared};

/// What can be done to the server while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// `SIGKILL`.
    Kill,
    /// Killed if it runs, and started again on the same socket, empty.
    Restart,
    /// `SIGSTOP`.
    Stop,
    /// `SIGCONT`.
    Continue,
}

/// An action and where its outcome goes.
pub(crate) struct Order {
    pub(crate) action: Action,
    pub(crate) done: Box<dyn FnOnce(Result<(), Error>) + Send>,
}

/// The server and its process.
pub(crate) struct RedisServer {
    shared: Arc<Shared>,
    program: PathBuf,
    child: Option<Child>,
}

impl RedisServer {
    pub(crate) async fn start(shared: Arc<Shared>) -> Result<Self, Error> {
        let program = find(shared.options.redis_server.as_deref())?;
        let mut server = Self { shared, program, child: None };
        server.launch().await?;
        Ok(server)
    }

    /// Carries out orders for as long as there is anybody to give them.
    pub(crate) async fn obey(&mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        while let Some(Order { action, done }) = orders.recv().await {
            done(self.act(action).await);
        }
    }

    async fn act(&mut self, action: Action) -> Result<(), Error> {
        match action {
            Action::Kill => {
                self.kill().await;
                Ok(())
            }
            Action::Restart => {
                self.kill().await;
                self.launch().await
            }
            Action::Stop => self.signal(Signal::STOP),
            Action::Continue => self.signal(Signal::CONT),
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        let id = self.child.as_ref().and_then(Child::id).and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id.and_then(Pid::from_raw) {
            kill_process(id, signal).map_err(io::Error::from)?;
        }
        Ok(())
    }

    pub(crate) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error means that it has ended already.
            let _ = child.kill().await;
        }
    }

    async fn launch(&mut self) -> Result<(), Error> {
        let directory = &self.shared.temp_dir;
        let config = directory.join("redis.conf");
        std::fs::write(
            &config,
            format!(
                "port 0\nunixsocket {}\nunixsocketperm 700\nsave \"\"\nappendonly no\ndir {}\n{}",
                self.shared.redis_socket().display(),
                directory.display(),
                self.shared.cache.acl(),
            ),
        )?;
        // With util-linux at hand, the server dies with the emulator even if that is killed.
        let mut command = match in_path("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL"]).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.arg(&config).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A signal meant for the emulator (Ctrl-C) does not end the server under it.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn()?;
        let Some(stdout) = child.stdout.take() else { return Err(io::Error::other("no stdout").into()) };
        let mut lines = BufReader::new(stdout).lines();
        let mut output = String::new();
        loop {
            match lines.next_line().await? {
                Some(line) if line.contains("eady to accept connections") => break,
                Some(line) => output = output + &line + "\n",
                None => {
                    if let Some(mut stderr) = child.stderr.take() {
                        tokio::io::AsyncReadExt::read_to_string(&mut stderr, &mut output).await?;
                    }
                    return Err(Error::RedisFailed { program: self.program.clone(), output });
                }
            }
        }
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                tracing::debug!(target: "redis_server", "{line}");
            }
        });
        self.child = Some(child);
        self.shared.journal.redis_started();
        Ok(())
    }
}

/// Makes a user known to the running server. A server that is down learns it when it starts.
pub(crate) fn set_user(shared: &Shared, user: &str, rules: &str) -> Result<(), Error> {
    let Ok(mut stream) = std::os::unix::net::UnixStream::connect(shared.redis_socket()) else {
        return Ok(());
    };
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (administrator, password) = (&shared.cache.administrator, &shared.cache.internal_password);
    write!(stream, "AUTH {administrator} {password}\r\nACL SETUSER {user} reset on >{password} {rules}\r\n")?;
    let answers: Vec<String> =
        io::BufRead::lines(io::BufReader::new(stream)).take(2).collect::<Result<_, _>>()?;
    match answers.iter().find(|answer| *answer != "+OK") {
        Some(refusal) => Err(io::Error::other(refusal.clone()).into()),
        None => Ok(()),
    }
}

fn find(wanted: Option<&Path>) -> Result<PathBuf, Error> {
    match wanted {
        Some(path) if path.is_file() => Ok(path.into()),
        Some(path) => Err(Error::RedisMissing { looked_for: path.display().to_string() }),
        None => in_path("redis-server").ok_or_else(|| Error::RedisMissing { looked_for: "on PATH".into() }),
    }
}

fn in_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}
