//! Makes users known to servers that run. A server that does not run learns them when it starts or goes on.

use std::{
    fmt::Write as _,
    io::{self, BufRead as _, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

use super::Node;
use crate::{error::Error, state::Shared};

/// Makes a user known to every server.
pub(crate) fn set(shared: &Shared, user: &str, rules: &str) -> Result<(), Error> {
    let users = [(user.to_owned(), rules.to_owned())];
    shared.nodes.running().iter().try_for_each(|node| tell(shared, node, &users))
}

/// Makes all users known to one server.
pub(super) fn set_all(shared: &Shared, node: &Node) -> Result<(), Error> {
    tell(shared, node, &shared.cache.grants())
}

/// Without tokio, because callers are not always asynchronous.
fn tell(shared: &Shared, node: &Node, users: &[(String, String)]) -> Result<(), Error> {
    let Ok(mut stream) = UnixStream::connect(node.socket()) else { return Ok(()) };
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (administrator, password) = (&shared.cache.administrator, &shared.cache.internal_password);
    let mut commands = format!("AUTH {administrator} {password}\r\n");
    for (user, rules) in users {
        // Writing to a string cannot fail.
        let _ = write!(commands, "ACL SETUSER {user} reset on >{password} {rules}\r\n");
    }
    stream.write_all(commands.as_bytes())?;
    let answers: Vec<String> =
        io::BufReader::new(stream).lines().take(users.len() + 1).collect::<Result<_, _>>()?;
    match answers.iter().find(|answer| *answer != "+OK") {
        Some(refusal) => Err(io::Error::other(refusal.clone()).into()),
        None => Ok(()),
    }
}
