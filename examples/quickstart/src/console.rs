//! What is printed while the sample runs: a mark per round, a line per event.

use crate::summary::Counts;
use keyless::event::{Event, EventHandler};
use parking_lot::Mutex;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

/// How many marks stand in a row.
const ROW: usize = 60;

/// Marks in rows, lines between them.
#[derive(Default)]
pub(crate) struct Console(Mutex<Row>);

#[derive(Default)]
struct Row {
    marks: usize,
    /// The failure that was printed last: a lasting one is not repeated in full.
    failure: String,
}

impl Console {
    /// Prints `+` or `!`.
    pub(crate) fn mark(&self, mark: char) {
        let mut row = self.0.lock();
        row.marks += 1;
        print!("{mark}");
        if row.marks == ROW {
            println!();
            row.marks = 0;
        }
        let _ = io::stdout().flush();
    }

    /// Prints a line of its own.
    pub(crate) fn line(&self, text: &str) {
        let mut row = self.0.lock();
        if std::mem::take(&mut row.marks) > 0 {
            println!();
        }
        println!("{text}");
    }

    /// Prints why commands fail, once per reason.
    pub(crate) fn failure(&self, error: &keyless::Error) {
        let reason = error.to_string();
        let known = std::mem::replace(&mut self.0.lock().failure, reason.clone()) == reason;
        if !known {
            self.line(&format!("{} command failed: {reason}", stamp(SystemTime::now())));
        }
    }
}

/// A handler that prints and counts events.
pub(crate) fn handler(console: &Arc<Console>, counts: &Arc<Counts>) -> EventHandler {
    let (console, counts) = (Arc::clone(console), Arc::clone(counts));
    Arc::new(move |event| {
        match event {
            Event::TokenRefreshed { .. } => counts.tokens.fetch_add(1, Relaxed),
            Event::TokenRefreshFailed { .. } => counts.refresh_failures.fetch_add(1, Relaxed),
            _ => 0,
        };
        console.line(&format!("{} {}", stamp(event.time()), describe(event)));
    })
}

fn describe(event: &Event) -> String {
    let until = |instant: &SystemTime| span(instant.duration_since(event.time()).unwrap_or_default());
    match event {
        Event::TokenRefreshed { user, expires_at, next_refresh, generation, .. } => format!(
            "token refreshed: number {generation} for {user}, expires in {}, next refresh in {}",
            until(expires_at),
            until(next_refresh)
        ),
        Event::TokenRefreshFailed { attempt, next_attempt, expires_at, error, .. } => format!(
            "token refresh failed: attempt {attempt}, next one in {}, {}: {error}",
            span(*next_attempt),
            match expires_at {
                Some(expires_at) => format!("the token in use lasts for {}", until(expires_at)),
                None => "no token in use".to_owned(),
            }
        ),
        Event::ConnectionReauthenticated { endpoint, expires_at, generation, .. } => format!(
            "connection re-authenticated: {endpoint} with token {generation}, good for {}",
            until(expires_at)
        ),
        Event::ConnectionReauthenticationFailed { endpoint, attempt, next_attempt, error, .. } => format!(
            "connection re-authentication failed: {endpoint}, attempt {attempt}, next one in {}: {error}",
            span(*next_attempt)
        ),
        // The error names the endpoint.
        Event::ConnectionLost { error, .. } => format!("connection lost: {error}"),
        Event::ConnectionRestored { endpoint, outage, attempts, .. } => {
            format!("connection restored: {endpoint} after {} and {attempts} attempts", span(*outage))
        }
        Event::SubscriptionGap { endpoint, outage, subscriptions, .. } => {
            format!(
                "subscription gap: {subscriptions} subscriptions at {endpoint} had no connection for {}",
                span(*outage)
            )
        }
        other => other.name().replace('_', " "),
    }
}

fn stamp(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// A time span in words, to the second where it is long and to the millisecond where it is short.
fn span(span: Duration) -> String {
    let (whole, rest) = (span.as_secs(), span.subsec_millis());
    let rounded = match whole {
        0..2 => Duration::from_millis(whole * 1000 + u64::from(rest)),
        _ => Duration::from_secs(whole + u64::from(rest >= 500)),
    };
    humantime::format_duration(rounded).to_string()
}
