//! Following the answers of the server, only to know how many are still to come: they pass untouched.

use std::collections::VecDeque;

use httparse::{EMPTY_HEADER, Response, Status};

use super::body::{Body, Malformed};
use super::{HEAD, HEADERS};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Responses {
    /// A request each, oldest first: whether it was a HEAD, whose answer has no body.
    due: VecDeque<bool>,
    /// What there is of the head that is being read.
    head: Vec<u8>,
    body: Option<Body>,
}

/// What came of a look at bytes of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    /// Still HTTP/1.1.
    Yes,
    /// From here on it is something else.
    Lost,
}

impl Responses {
    /// A request was sent on.
    pub fn expect(&mut self, head: bool) {
        self.due.push_back(head);
    }

    /// Whether every request so far was answered, to the last byte.
    pub fn all_there(&self) -> bool {
        self.due.is_empty()
    }

    /// Bytes kept of a head that is not whole.
    pub fn held(&self) -> usize {
        self.head.len()
    }

    /// Looks at what the server sent.
    pub fn follow(&mut self, mut bytes: &[u8]) -> Followed {
        while !bytes.is_empty() {
            let taken = match &mut self.body {
                Some(body) => body.take(bytes).map(|(taken, done)| {
                    if done {
                        self.body = None;
                        self.due.pop_front();
                    }
                    taken
                }),
                None => self.head(bytes),
            };
            match taken {
                Ok(taken) => bytes = &bytes[taken..],
                Err(Malformed) => return Followed::Lost,
            }
        }
        Followed::Yes
    }

    /// Takes the bytes of a head, and finds out what body follows it.
    fn head(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let before = self.head.len();
        // In the common case the head is whole in these bytes, and no copy is made.
        let joined;
        let whole: &[u8] = if before == 0 {
            bytes
        } else {
            self.head.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.head);
            &joined
        };
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut response = Response::new(&mut headers);
        let length = match response.parse(whole).map_err(|_| Malformed)? {
            Status::Complete(length) => length,
            Status::Partial if whole.len() > HEAD => return Err(Malformed),
            Status::Partial => {
                self.head = whole.to_vec();
                return Ok(bytes.len());
            }
        };
        let status = response.code.unwrap_or_default();
        let of_head = self.due.front().copied().unwrap_or_default();
        match status {
            101 => return Err(Malformed),
            100..200 => {}
            204 | 304 => drop(self.due.pop_front()),
            _ if of_head => drop(self.due.pop_front()),
            _ => match Body::of(response.headers)?.unwrap_or(Body::UntilClose) {
                Body::Length(0) => drop(self.due.pop_front()),
                body => self.body = Some(body),
            },
        }
        Ok(length - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANSWERS: &[u8] =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello\
        HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n\
        HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

    proptest! {
        #[test]
        fn answers_are_counted_however_they_are_cut(cut in 0..ANSWERS.len()) {
            let mut responses = Responses::default();
            for head in [false, false, true, false] {
                responses.expect(head);
            }
            prop_assert_eq!(responses.follow(&ANSWERS[..cut]), Followed::Yes);
            prop_assert!(!responses.all_there());
            prop_assert_eq!(responses.follow(&ANSWERS[cut..]), Followed::Yes);
            prop_assert!(responses.all_there());
        }

        #[test]
        fn nothing_that_a_server_sends_breaks_it(bytes: Vec<u8>) {
            let mut responses = Responses::default();
            responses.expect(false);
            responses.follow(&bytes);
        }
    }
}
