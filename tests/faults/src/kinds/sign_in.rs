//! What the client signs in with is not to be had.

use crate::journal::Journal;
use crate::report::Row;
use crate::rig::{Rig, Scale};
use keyless_conformance::{SOON, eventually};
use keyless_emulator::TokenFault;
use std::time::Duration;

const LIFETIME: Duration = Duration::from_secs(3);

/// The token endpoint is down for two lifetimes of a token: the last token runs out, and everything heals.
pub(super) async fn token_endpoint_down(scale: Scale) -> Row {
    let rig = Rig::new(|emulator| emulator.token_lifetime = LIFETIME, |options| options).await;
    let journal = Journal::start(&rig.client, 9);
    let times = scale.times(1, 20);
    for _ in 0..times {
        journal.progress(500).await;
        rig.emulator.faults().token(TokenFault::Refuse, None);
        tokio::time::sleep(LIFETIME * 2).await;
        assert!(!rig.client.is_ready(), "no token, no connection");
        rig.emulator.faults().clear_token();
        eventually("healed", SOON, || rig.client.is_ready()).await;
        journal.progress(500).await;
    }
    let seen = rig.emulator.stats();
    assert_eq!(seen.auth.expired_tokens_offered, 0, "an expired token is never used");
    let cut = seen.connections.closed_at_expiry;
    assert_eq!(cut, 0, "the client lets go of a connection before the server cuts it");
    let row = Row { injected: times, ..journal.audit(&rig.emulator).await };
    row.remark("never cut by the server")
}
