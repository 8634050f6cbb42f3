//! Following the requests of a client, one after the other, and doing to them what the rules say.

use bytes::{Buf, Bytes, BytesMut};
use httparse::{EMPTY_HEADER, Header, Request, Status};
use hyper::StatusCode;

use super::body::Body;
use super::responses::{Followed, Responses};
use super::{Act, HEAD, HEADERS, Rule};
use crate::fault::proxy::chance::hits_request;
use crate::fault::proxy::link::Link;
use crate::fault::proxy::stage::{Item, Key};
use crate::fault::proxy::table::Who;

/// The beginning of a head that is not followed by its end for so long passes as it is, ns: it may be of a protocol that
/// waits for an answer now.
const PATIENCE: u64 = 5_000_000_000;

/// Bytes that may wait here.
const WAITING: usize = 64 << 10;

/// See the module.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what the client sends can end, and what the server sends be lost, in any order"
)]
pub(in crate::fault::proxy) struct Requests {
    who: Who,
    state: State,
    buffer: BytesMut,
    /// The client has no more.
    eof: bool,
    /// The end was sent on.
    ended: bool,
    number: u64,
    /// What a request's head must come by.
    patience: u64,
    responses: Responses,
    /// The answers can be followed no longer.
    lost: bool,
    /// A part of what the client sent is swallowed, and what follows it cannot be told: there is no going on.
    torn: bool,
}

/// Where one is in the requests of a connection.
#[derive(Debug)]
enum State {
    /// Before the end of a head.
    Head,
    /// A head is there, and held back perhaps.
    Held(Held),
    /// In a body, which goes on to the server.
    Pass(Body),
    /// In a body that nobody will see; then the request is answered.
    Swallow(Body, Answer),
    /// Before the answer, which comes when those before it are complete.
    Answer(Answer),
    /// The rest is not looked at.
    Raw,
    /// The rest is thrown away: the last answer said so.
    Over,
}

/// A request whose head is whole.
#[derive(Debug)]
struct Held {
    /// Length of the head.
    head: usize,
    body: Option<Body>,
    /// The client waits for a word before it sends the body.
    expects: bool,
    /// What follows is another protocol, if the server says so.
    switches: bool,
    /// Its answer has no body.
    is_head: bool,
    since: u64,
    /// What holds it, each for so long, one after the other.
    holds: Vec<(Key, u64)>,
    /// What answers it.
    answer: Option<(Key, u16)>,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    status: u16,
    /// No more requests after it.
    last: bool,
}

impl Requests {
    /// Of a new connection.
    pub fn new(who: Who) -> Self {
        Self {
            who,
            state: State::Head,
            buffer: BytesMut::new(),
            eof: false,
            ended: false,
            number: 0,
            patience: 0,
            responses: Responses::default(),
            lost: false,
            torn: false,
        }
    }

    /// Takes what the client sent.
    pub fn push(&mut self, bytes: &[u8], now: u64) {
        if self.buffer.is_empty() {
            self.patience = now + PATIENCE;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The client has no more.
    pub fn end(&mut self) {
        self.eof = true;
    }

    /// Looks at what the server sent, which passes as it is.
    pub fn follow(&mut self, bytes: &[u8]) {
        let followed = !self.lost && !matches!(self.state, State::Raw | State::Over);
        if !followed || self.responses.follow(bytes) == Followed::Yes {
            return;
        }
        self.lost = true;
        match &self.state {
            State::Head | State::Pass(_) => self.state = State::Raw,
            State::Swallow(..) | State::Answer(_) => self.tear(),
            State::Held(held) if held.answer.is_some() => self.tear(),
            // It goes on to the server in its time, and what follows it then passes as it is.
            State::Held(_) | State::Raw | State::Over => {}
        }
    }

    /// Ends the connection, since its bytes can go neither to the server nor nowhere.
    fn tear(&mut self) {
        self.torn = true;
        self.state = State::Over;
    }

    /// Whether more may be read.
    pub fn room(&self) -> bool {
        // A head must fit, however long it is.
        self.buffer.len() < WAITING || matches!(self.state, State::Head)
    }

    /// Bytes held here, of requests and of what is looked at of answers.
    pub fn held(&self) -> usize {
        self.buffer.len() + self.responses.held()
    }

    /// Other rules are on: what is held by one that is gone goes on.
    pub fn change(&mut self, rules: &[Rule]) {
        if let State::Held(held) = &mut self.state {
            let on = |key: &Key| rules.iter().any(|rule| rule.key == *key);
            held.holds.retain(|(key, _)| on(key));
            held.answer = held.answer.filter(|(key, _)| on(key));
        }
    }

    /// When there is something to do next, but for what comes in.
    pub fn due(&self) -> Option<u64> {
        match &self.state {
            State::Head if !self.buffer.is_empty() => Some(self.patience),
            State::Held(held) => Some(held.until()),
            State::Head
            | State::Pass(_)
            | State::Swallow(..)
            | State::Answer(_)
            | State::Raw
            | State::Over => None,
        }
    }

    /// Goes on as far as it may: requests to `up`, answers to `down`.
    pub fn run(&mut self, rules: &[Rule], now: u64, up: &mut Link, down: &mut Link) {
        while self.step(rules, now, up, down) {}
        if std::mem::take(&mut self.torn) {
            down.feed(Item::Reset, now);
        }
        if self.eof && !self.ended && self.is_dry() {
            self.ended = true;
            self.forward(self.buffer.len(), now, up);
            up.feed(Item::Fin, now);
        }
        if self.buffer.is_empty() && self.buffer.capacity() > 0 {
            self.buffer = BytesMut::new();
        }
    }

    /// Whether nothing more can be made of what is here.
    fn is_dry(&self) -> bool {
        match self.state {
            State::Head => true,
            State::Held(_) | State::Answer(_) => false,
            State::Pass(_) | State::Swallow(..) | State::Raw | State::Over => {
                self.buffer.is_empty()
            }
        }
    }

    /// One step; whether another may follow.
    fn step(&mut self, rules: &[Rule], now: u64, up: &mut Link, down: &mut Link) -> bool {
        match std::mem::replace(&mut self.state, State::Raw) {
            State::Raw => {
                self.forward(self.buffer.len(), now, up);
                false
            }
            State::Over => {
                self.buffer.clear();
                self.state = State::Over;
                false
            }
            State::Head if self.buffer.is_empty() => {
                self.state = State::Head;
                false
            }
            State::Head => self.head(rules, now),
            State::Held(held) if now < held.until() => {
                self.state = State::Held(held);
                false
            }
            State::Held(held) => {
                self.let_go(held, now, up);
                true
            }
            State::Pass(body) => self.body(body, None, now, up),
            State::Swallow(body, answer) => self.body(body, Some(answer), now, up),
            State::Answer(answer) if !self.responses.all_there() => {
                self.state = State::Answer(answer);
                false
            }
            State::Answer(answer) => {
                down.feed(Item::Data(answer.bytes()), now);
                self.state = State::Head;
                if answer.last {
                    down.feed(Item::Close, now);
                    self.state = State::Over;
                }
                self.patience = now + PATIENCE;
                true
            }
        }
    }

    /// Sends bytes on as they are.
    fn forward(&mut self, length: usize, now: u64, up: &mut Link) {
        if length > 0 {
            let bytes = self.buffer.split_to(length).freeze();
            up.feed(Item::Data(bytes), now);
        }
    }

    /// Reads a head, if there is a whole one, and decides on its request.
    fn head(&mut self, rules: &[Rule], now: u64) -> bool {
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut request = Request::new(&mut headers);
        let length = match request.parse(&self.buffer) {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) if self.buffer.len() <= HEAD && now < self.patience => {
                self.state = State::Head;
                return false;
            }
            // The state is raw already.
            Ok(Status::Partial) | Err(_) => return true,
        };
        let (Some(method), Some(target), Some(1)) = (request.method, request.path, request.version)
        else {
            return true;
        };
        let Ok(body) = Body::of(request.headers) else {
            return true;
        };
        let mut held = Held {
            head: length,
            body: body.filter(|body| *body != Body::Length(0)),
            expects: has(request.headers, "expect"),
            switches: method == "CONNECT" || has(request.headers, "upgrade"),
            is_head: method == "HEAD",
            since: now,
            holds: Vec::new(),
            answer: None,
        };
        let mut counted = None;
        for rule in rules {
            // The rules of a fault stand together.
            if counted != Some(rule.key.fault) {
                counted = Some(rule.key.fault);
                rule.request_seen();
            }
            let fault = rule.key.fault;
            let hit = rule.is_for(method, target)
                && hits_request(
                    self.who.seed,
                    self.who.connection,
                    fault,
                    self.number,
                    rule.toxicity,
                );
            if hit && held.answer.is_none() {
                rule.request_hit(held.is_new_to(fault), length);
                match rule.act {
                    Act::Hold(time) => held.holds.push((rule.key, time)),
                    Act::Answer(status) => held.answer = Some((rule.key, status)),
                }
            }
        }
        self.number += 1;
        self.state = State::Held(held);
        true
    }

    /// A request is held no longer: on to the server with it, or to its answer.
    fn let_go(&mut self, held: Held, now: u64, up: &mut Link) {
        let Some((_, status)) = held.answer else {
            self.forward(held.head, now, up);
            self.responses.expect(held.is_head);
            self.state = match held.body {
                _ if held.switches || self.lost => State::Raw,
                Some(body) => State::Pass(body),
                None => self.next_head(now),
            };
            return;
        };
        self.buffer.advance(held.head);
        let answer = |last| Answer { status, last };
        self.state = match held.body {
            // Whether the body comes after such an answer is up to the client, so no request can be found behind it.
            Some(_) if held.expects => State::Answer(answer(true)),
            Some(body) => State::Swallow(body, answer(held.switches)),
            None => State::Answer(answer(held.switches)),
        };
    }

    fn next_head(&mut self, now: u64) -> State {
        self.patience = now + PATIENCE;
        State::Head
    }

    /// Takes what there is of a body, to the server or to nowhere.
    fn body(&mut self, mut body: Body, answer: Option<Answer>, now: u64, up: &mut Link) -> bool {
        let Ok((taken, done)) = body.take(&self.buffer) else {
            // What is no body is not looked at any further: the state is raw already.
            if answer.is_some() {
                self.tear();
            }
            return true;
        };
        match answer {
            None => self.forward(taken, now, up),
            Some(_) => self.buffer.advance(taken),
        }
        self.state = match (answer, done) {
            (None, false) => State::Pass(body),
            (Some(answer), false) => State::Swallow(body, answer),
            (None, true) => self.next_head(now),
            (Some(answer), true) => State::Answer(answer),
        };
        done
    }
}

impl Held {
    fn until(&self) -> u64 {
        let time: u64 = self.holds.iter().map(|(_, time)| *time).sum();
        self.since.saturating_add(time)
    }

    /// Whether no rule of a fault has hit it yet.
    fn is_new_to(&self, fault: usize) -> bool {
        self.holds.iter().all(|(key, _)| key.fault != fault)
    }
}

impl Rule {
    fn request_seen(&self) {
        if self.counts_requests {
            self.touch.counts().seen();
        }
    }

    /// A request was hit, by the first rule of the fault that does.
    fn request_hit(&self, first: bool, bytes: usize) {
        match (first, self.counts_requests) {
            (true, true) => self.touch.counts().affected(),
            (true, false) => self.touch.felt(),
            (false, _) => return,
        }
        self.touch.bytes(bytes);
    }
}

fn has(headers: &[Header<'_>], name: &str) -> bool {
    headers
        .iter()
        .any(|header| header.name.eq_ignore_ascii_case(name))
}

impl Answer {
    fn bytes(self) -> Bytes {
        let known = StatusCode::from_u16(self.status).ok();
        let reason = known.and_then(|status| status.canonical_reason());
        let length = match self.status {
            204 | 304 => "",
            _ => "content-length: 0\r\n",
        };
        let close = if self.last {
            "connection: close\r\n"
        } else {
            ""
        };
        let (status, reason) = (self.status, reason.unwrap_or("Unknown"));
        format!("HTTP/1.1 {status} {reason}\r\n{length}{close}\r\n").into()
    }
}

#[cfg(test)]
#[path = "requests_tests.rs"]
mod tests;
