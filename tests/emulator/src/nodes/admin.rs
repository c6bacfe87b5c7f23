//! The emulator's own connection to a server, past the gateway: a few lines of RESP.

use std::{io, time::Duration};

use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    time::timeout,
};

use super::Node;
use crate::{error::Error, state::Shared};

/// How long a server is given to answer; one that is stopped never does.
const PATIENCE: Duration = Duration::from_secs(10);

/// A reply of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Such as `OK`.
    Status(String),
    /// An error, with its code.
    Error(String),
    /// A number.
    Integer(i64),
    /// A string.
    Bulk(Vec<u8>),
    /// Nothing.
    Nil,
    /// A list.
    Array(Vec<Reply>),
}

impl Reply {
    /// What it says, if it is one value; a number in digits, bytes that are no text replaced.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Status(text) | Self::Error(text) => Some(text.clone()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Bulk(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Self::Nil | Self::Array(_) => None,
        }
    }

    /// The reply, if it is no error.
    fn good(self, command: &[u8]) -> Result<Self, Error> {
        match self {
            Self::Error(reply) => {
                Err(Error::Refused { command: String::from_utf8_lossy(command).into_owned(), reply })
            }
            reply => Ok(reply),
        }
    }
}

/// A connection, signed in as the administrator.
pub(crate) struct Admin {
    stream: BufReader<UnixStream>,
    port: u16,
}

impl Admin {
    pub(crate) async fn connect(shared: &Shared, node: &Node) -> Result<Self, Error> {
        let stream = UnixStream::connect(node.socket()).await?;
        let mut admin = Self { stream: BufReader::new(stream), port: node.port };
        admin.call(&["AUTH", &shared.cache.administrator, &shared.cache.internal_password]).await?;
        Ok(admin)
    }

    /// Sends a command; an error reply is an error.
    pub(crate) async fn call(&mut self, command: &[impl AsRef<[u8]>]) -> Result<Reply, Error> {
        let reply = self.ask(command).await?;
        reply.good(command[0].as_ref())
    }

    /// Sends a command; an error reply is a reply.
    pub(crate) async fn ask(&mut self, command: &[impl AsRef<[u8]>]) -> Result<Reply, Error> {
        let mut bytes = Vec::new();
        encode(command, &mut bytes);
        let mut replies = self.exchange(&bytes, 1).await?;
        Ok(replies.pop().unwrap_or(Reply::Nil))
    }

    /// Sends many commands at once; the first error reply is an error.
    pub(crate) async fn flight<A: AsRef<[u8]>>(&mut self, commands: &[Vec<A>]) -> Result<Vec<Reply>, Error> {
        let mut bytes = Vec::new();
        for command in commands {
            encode(command, &mut bytes);
        }
        let replies = self.exchange(&bytes, commands.len()).await?;
        replies.into_iter().zip(commands).map(|(reply, command)| reply.good(command[0].as_ref())).collect()
    }

    async fn exchange(&mut self, bytes: &[u8], count: usize) -> Result<Vec<Reply>, Error> {
        let exchange = async {
            self.stream.write_all(bytes).await?;
            let mut replies = Vec::with_capacity(count);
            for _ in 0..count {
                replies.push(self.read().await?);
            }
            Ok(replies)
        };
        let answered: Result<io::Result<_>, _> = timeout(PATIENCE, exchange).await;
        Ok(answered.map_err(|_| Error::Cluster(format!("node {} did not answer", self.port)))??)
    }

    async fn read(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let broken = || io::Error::other("not RESP");
        let (kind, rest) = line.trim_end().split_at_checked(1).ok_or_else(broken)?;
        let number = || rest.parse::<i64>().map_err(io::Error::other);
        Ok(match kind {
            "+" => Reply::Status(rest.into()),
            "-" => Reply::Error(rest.into()),
            ":" => Reply::Integer(number()?),
            "$" => match usize::try_from(number()?) {
                Ok(length) => {
                    let mut bytes = vec![0; length + 2];
                    self.stream.read_exact(&mut bytes).await?;
                    bytes.truncate(length);
                    Reply::Bulk(bytes)
                }
                Err(_) => Reply::Nil,
            },
            "*" => match usize::try_from(number()?) {
                Ok(length) => {
                    let mut items = Vec::new();
                    for _ in 0..length {
                        items.push(Box::pin(self.read()).await?);
                    }
                    Reply::Array(items)
                }
                Err(_) => Reply::Nil,
            },
            _ => return Err(broken()),
        })
    }
}

fn encode(command: &[impl AsRef<[u8]>], bytes: &mut Vec<u8>) {
    bytes.extend(format!("*{}\r\n", command.len()).bytes());
    for argument in command {
        let argument = argument.as_ref();
        bytes.extend(format!("${}\r\n", argument.len()).bytes());
        bytes.extend(argument);
        bytes.extend(b"\r\n");
    }
}
