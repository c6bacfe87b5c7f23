//! The process of one real `redis-server`.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::Node;
use crate::{error::Error, options::ClusterOptions, state::Shared};

/// A server's process, while there is one.
#[derive(Default)]
pub(super) struct Server {
    child: Option<Child>,
}

impl Server {
    /// Starts the server of this node and waits until it is ready. To be called on a thread that stays for as long
    /// as the emulator: the server ends with it.
    pub(super) async fn launch(shared: &Shared, node: &Node) -> Result<Self, Error> {
        let program = find(shared.options.redis_server.as_deref())?;
        let config = node.directory.join("redis.conf");
        std::fs::write(&config, self::config(shared, node))?;
        // With util-linux at hand, the server dies with the emulator even if that is killed.
        let mut command = match in_path("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL"]).arg(&program);
                command
            }
            None => Command::new(&program),
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
                    return Err(Error::RedisFailed { program, output });
                }
            }
        }
        let port = node.port;
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                tracing::debug!(target: "redis_server", port, "{line}");
            }
        });
        shared.journal.redis_started();
        Ok(Self { child: Some(child) })
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), Error> {
        let id = self.child.as_ref().and_then(Child::id).and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id.and_then(Pid::from_raw) {
            kill_process(id, signal).map_err(io::Error::from)?;
        }
        Ok(())
    }

    pub(super) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error means that it has ended already.
            let _ = child.kill().await;
        }
    }
}

fn config(shared: &Shared, node: &Node) -> String {
    let mut config = format!(
        "unixsocket {}\nunixsocketperm 700\nsave \"\"\nappendonly no\ndir {}\n{}",
        node.socket().display(),
        node.directory.display(),
        shared.cache.acl(),
    );
    config += &match (node.internal, shared.options.oss_cluster()) {
        (Some(internal), Some(cluster)) => cluster_config(shared, node, &internal.to_string(), cluster),
        _ => "port 0\n".into(),
    };
    // Of a line that is there twice, the last one counts.
    config += &shared.options.redis_config;
    config
}

/// The servers know each other by internal addresses, which they replicate and gossip over. What they tell clients
/// is the "host name" of each, which is the gateway's address, with the port that both have in common.
fn cluster_config(shared: &Shared, node: &Node, internal: &str, cluster: &ClusterOptions) -> String {
    let (port, bus) = (node.port, node.bus_port());
    let timeout = cluster.node_timeout.as_millis().max(100);
    let coverage = if cluster.require_full_coverage { "yes" } else { "no" };
    let (administrator, password) = (&shared.cache.administrator, &shared.cache.internal_password);
    format!(
        "bind {internal}\nport {port}\nmasteruser {administrator}\nmasterauth {password}\n\
         repl-diskless-sync-delay 0\nrepl-ping-replica-period 1\n\
         cluster-enabled yes\ncluster-port {bus}\n\
         cluster-announce-ip {internal}\ncluster-announce-port {port}\ncluster-announce-bus-port {bus}\n\
         cluster-announce-hostname 127.0.0.1\ncluster-preferred-endpoint-type hostname\n\
         cluster-node-timeout {timeout}\ncluster-require-full-coverage {coverage}\n\
         cluster-allow-replica-migration no\ncluster-replica-validity-factor 0\n"
    )
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
