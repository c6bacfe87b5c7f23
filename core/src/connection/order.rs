//! Replies by which a server says that a request was not executed and belongs elsewhere, or to later.

/// What a server said instead of executing a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The slot lives at another node now.
    Moved { slot: u16, to: String },
    /// The slot is on its way to another node, which has this key already.
    Ask { to: String },
    /// Not now: the slot is between two nodes, or the server is not ready.
    Later,
}

impl Order {
    /// Reads an error reply; `None` for every other reply and for errors that are the caller's.
    pub(crate) fn read(frame: &[u8]) -> Option<Self> {
        if frame.first() != Some(&b'-') {
            return None;
        }
        let line = std::str::from_utf8(&frame[1..]).ok()?.trim_end();
        let mut words = line.split(' ');
        match words.next()? {
            "MOVED" => Some(Self::Moved { slot: words.next()?.parse().ok()?, to: words.next()?.to_owned() }),
            "ASK" => Some(Self::Ask { to: words.nth(1)?.to_owned() }),
            "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" => Some(Self::Later),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_are_read() {
        let moved = Order::Moved { slot: 3999, to: "127.0.0.1:6381".into() };
        assert_eq!(Order::read(b"-MOVED 3999 127.0.0.1:6381\r\n"), Some(moved));
        assert_eq!(Order::read(b"-ASK 7 :8500\r\n"), Some(Order::Ask { to: ":8500".into() }));
        assert_eq!(Order::read(b"-TRYAGAIN Multiple keys\r\n"), Some(Order::Later));
        assert_eq!(Order::read(b"-LOADING Redis is loading\r\n"), Some(Order::Later));
        for other in
            [&b"+MOVED 1 a:1\r\n"[..], b"-ERR MOVED\r\n", b"-MOVED\r\n", b"-MOVED x y\r\n", b"", b"-\r\n"]
        {
            assert_eq!(Order::read(other), None, "{other:?}");
        }
    }
}
