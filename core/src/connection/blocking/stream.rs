//! `$` in `XREAD`: "what comes from now on". Every slice of a wait would have a now of its own, and what was added
//! between two of them would be missed. So `$` is replaced once, before the first slice, by the id of the stream's
//! last entry. Between that look and the read nothing can be missed: the read begins behind that very entry. A
//! stream that is empty or not there begins at `0-0`; entries that were deleted do not matter, since ids only grow.

use super::call::Call;
use super::wait::For;
use crate::connection::batch::Batch;
use crate::connection::decode::decode;
use crate::error::Result;
use bytes::Bytes;
use redis::Value;

impl Call {
    /// Which arguments are a `$`, and which are the streams' keys.
    fn open_ends(&self) -> Vec<(usize, usize)> {
        if self.wait.what != For::Entries {
            return Vec::new();
        }
        let streams =
            self.args.iter().skip(self.wait.at).position(|arg| arg.eq_ignore_ascii_case(b"streams"));
        let Some(first) = streams.map(|place| self.wait.at + place + 1) else { return Vec::new() };
        let count = (self.args.len() - first) / 2;
        (first..first + count)
            .map(|key| (key, key + count))
            .filter(|(_, id)| self.args[*id] == b"$")
            .collect()
    }

    /// What must be asked before the first slice: one command per `$`.
    pub(super) fn questions(&self) -> Batch {
        let mut batch = Batch::new();
        for (key, _) in self.open_ends() {
            batch.push_own(&[b"XREVRANGE", &self.args[key][..], b"+", b"-", b"COUNT", b"1"]);
        }
        batch
    }

    /// Puts the answers to [`Call::questions`] in the places of `$`. An error reply is the call's own answer.
    pub(super) fn resolve(&mut self, answers: &[Bytes]) -> Result<()> {
        let ids: Vec<Vec<u8>> =
            answers.iter().map(|answer| Ok(last_id(decode(answer)?))).collect::<Result<_>>()?;
        for ((_, place), id) in self.open_ends().into_iter().zip(ids) {
            self.args[place] = id;
        }
        Ok(())
    }
}

fn last_id(entries: Value) -> Vec<u8> {
    let mut entry = match entries {
        Value::Array(entries) => entries.into_iter().next(),
        _ => None,
    };
    if let Some(Value::Array(parts)) = &mut entry
        && let Some(Value::BulkString(id)) = parts.first_mut()
    {
        return std::mem::take(id);
    }
    b"0-0".to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ids_that_are_open_are_asked_for_and_replaced() {
        let mut command = redis::cmd("XREAD");
        command.arg(&["BLOCK", "0", "STREAMS", "$", "b", "c", "$", "5-1", "$"]);
        let mut call = Call::of(&command).unwrap();
        assert_eq!(call.questions().len(), 2);
        let answers =
            [Bytes::from("*1\r\n*2\r\n$3\r\n7-2\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"), Bytes::from("*0\r\n")];
        call.resolve(&answers).unwrap();
        assert_eq!(call.args[4..], ["$", "b", "c", "7-2", "5-1", "0-0"].map(|arg| arg.as_bytes().to_vec()));
        assert!(call.questions().is_empty());
        let mut call = Call::of(&command).unwrap();
        assert!(call.resolve(&["-WRONGTYPE x\r\n".into(), "*0\r\n".into()]).is_err());
    }
}
