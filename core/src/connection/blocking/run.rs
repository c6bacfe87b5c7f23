//! The life of one waiting command: a connection, slice after slice, an answer.

use super::call::{Answers, Call, better};
use super::lane::{Lane, Lease, Lost};
use super::slice;
use super::wait::{For, Limit};
use crate::connection::node::{Node, closed};
use crate::error::{ErrorCode, Result};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest slice where idle connections are not pinged otherwise.
const LONGEST: Duration = Duration::from_mins(1);

/// Runs a call to its answer.
pub(super) async fn run(node: &Arc<Node>, mut call: Call, lease: &Lease) -> Result<Answers> {
    let margin = node.settings.command_timeout;
    let end = match call.limit {
        Limit::After(time) => Instant::now().checked_add(time),
        Limit::Never | Limit::Unreadable => None,
    };
    // How long it may take until the command is on its way: whoever waits for ever does not wait for that.
    let patience = || end.map_or(margin, |end| end.saturating_duration_since(Instant::now()) + margin);
    let _permit = node.blocking.permit(patience()).await?;
    let mut lane: Option<Lane> = None;
    // What the last slice answered, of a wait whose slices must not change the connection.
    let mut answers: Option<Answers> = None;
    loop {
        let mut current = match lane.take() {
            Some(lane) => lane,
            None if answers.is_some() => return Ok(answers.unwrap_or_default()),
            None => node.blocking.connect(node, patience()).await?,
        };
        if !current.renew(node).await {
            continue;
        }
        let questions = call.questions();
        if !questions.is_empty() {
            let Ok(found) = current.ask(questions, Duration::ZERO, margin).await else { continue };
            if let Err(refusal) = call.resolve(&found) {
                node.blocking.give_back(node, current);
                return Err(refusal);
            }
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let longest = node.settings.keep_alive.unwrap_or(LONGEST);
        let slice = match call.limit {
            Limit::Unreadable => Duration::ZERO,
            _ => match slice::next(left, current.usable(), longest) {
                Some(slice) => slice,
                None => continue,
            },
        };
        if !lease.begin(&current.link) {
            node.blocking.give_back(node, current);
            return Err(closed());
        }
        let outcome = current.ask(call.encode(slice, answers.is_none()), slice, margin).await;
        // Word of the change comes over another connection, and may come later than this answer.
        node.forget_changed(&call.requests());
        let mut found = match outcome {
            Ok(found) => found,
            Err(lost) => {
                let again = may_go_again(&call, &lost);
                lease.end();
                if again && end.is_none_or(|end| Instant::now() < end + margin) {
                    tokio::time::sleep(node.settings.backoff_min).await;
                    continue;
                }
                match answers {
                    // The count so far stands.
                    Some(answers) => return Ok(answers),
                    None => return Err(lost.error.executed(lost.written || !call.before.is_empty())),
                }
            }
        };
        lease.end();
        let answer = found.pop().unwrap_or_default();
        let over = left.is_some_and(|left| slice >= left) || call.limit == Limit::Unreadable;
        let unfulfilled = call.is_unfulfilled(&answer);
        let answer = keep_count(&mut answers, &call, found, answer);
        if over || !unfulfilled {
            node.blocking.give_back(node, current);
            return Ok(answer);
        }
        lane = Some(current);
    }
}

/// Whether a call whose connection ended may be sent again on another one.
fn may_go_again(call: &Call, lost: &Lost) -> bool {
    match call.wait.what {
        // A reply that breaks the stream would do so again.
        For::Entries => {
            !lost.written || !matches!(lost.error.code(), ErrorCode::Timeout | ErrorCode::Protocol)
        }
        For::Element => !lost.written,
        // Without what it is about it means nothing.
        For::Acknowledgements => false,
    }
}

/// All replies so far. Of a count the best one is kept, and the replies to what was before it.
fn keep_count(kept: &mut Option<Answers>, call: &Call, mut found: Answers, answer: Bytes) -> Answers {
    if call.wait.what != For::Acknowledgements {
        return vec![answer];
    }
    if let Some(mut before) = kept.take() {
        let last = before.pop().unwrap_or_default();
        before.push(better(last, answer));
        found = before;
    } else {
        found.push(answer);
    }
    *kept = Some(found.clone());
    found
}
