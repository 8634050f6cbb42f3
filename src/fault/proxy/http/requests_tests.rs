use std::rc::Rc;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::fault::proxy::counts::{Counts, Touch};
use crate::profile::model::{Requests as Which, Toxic, ToxicKind};
use crate::profile::units::Ratio;

const MS: u64 = 1_000_000;

/// A proxy's connection, as far as requests go.
struct Scene {
    requests: Requests,
    rules: Vec<Rule>,
    counts: Arc<Counts>,
    up: Link,
    down: Link,
    now: u64,
}

fn rule(kind: ToxicKind, toxic: usize, counts: &Arc<Counts>) -> Rule {
    let key = Key {
        fault: 0,
        toxic,
        epoch: 1,
    };
    let toxic = Toxic {
        kind,
        toxicity: Ratio(1.0),
        upstream: false,
    };
    let touch = Rc::new(Touch::new(Arc::clone(counts)));
    Rule::of(key, &toxic, &touch, true).unwrap()
}

fn answered(status: u16, path: &str) -> ToxicKind {
    let requests = Which {
        path: Some(path.into()),
        method: None,
    };
    ToxicKind::HttpStatus { status, requests }
}

impl Scene {
    fn with(kinds: Vec<ToxicKind>) -> Self {
        let counts = Arc::<Counts>::default();
        let who = Who {
            seed: 42,
            connection: 0,
            since: 0,
        };
        let kinds = kinds.into_iter().enumerate();
        Self {
            requests: Requests::new(who),
            rules: kinds
                .map(|(toxic, kind)| rule(kind, toxic, &counts))
                .collect(),
            counts,
            up: Link::default(),
            down: Link::default(),
            now: 1,
        }
    }

    fn run(&mut self) {
        let (up, down) = (&mut self.up, &mut self.down);
        self.requests.run(&self.rules, self.now, up, down);
    }

    fn client(&mut self, text: &str) -> String {
        self.requests.push(text.as_bytes(), self.now);
        self.run();
        taken(&mut self.up)
    }

    fn server(&mut self, text: &str) {
        self.requests.follow(text.as_bytes());
        self.run();
    }

    fn answers(&mut self) -> String {
        taken(&mut self.down)
    }
}

fn taken(link: &mut Link) -> String {
    let mut text = String::new();
    while let Some(item) = link.front() {
        match item {
            Item::Data(bytes) => text += std::str::from_utf8(bytes).unwrap(),
            Item::Fin => text += "<fin>",
            Item::Reset => text += "<reset>",
            Item::Close => text += "<close>",
        }
        match item.clone() {
            Item::Data(bytes) => link.wrote(bytes.len()),
            Item::Fin | Item::Reset | Item::Close => link.passed(),
        }
    }
    text
}

const POST: &str = "POST /orders HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello";
const CHUNKED: &str =
    "PUT /orders HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
const GET: &str = "GET /items HTTP/1.1\r\nhost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const DOWN: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

#[test]
fn a_request_is_answered_here_and_swallowed_with_its_body() {
    for swallowed in [POST, CHUNKED] {
        let mut scene = Scene::with(vec![answered(503, "/orders*")]);
        assert_eq!(scene.client(&format!("{swallowed}{GET}")), GET);
        assert_eq!(scene.answers(), DOWN);
        let counts = scene.counts.read();
        assert_eq!((counts.seen, counts.affected), (2, 1));
    }
}

#[test]
fn answers_keep_the_order_of_pipelined_requests() {
    let mut scene = Scene::with(vec![answered(503, "/orders*")]);
    assert_eq!(scene.client(&format!("{GET}{POST}{GET}")), GET);
    assert_eq!(scene.answers(), "", "the first is not answered yet");
    scene.server(&OK[..OK.len() - 1]);
    assert_eq!(scene.answers(), "");
    scene.server("k");
    assert_eq!(scene.answers(), DOWN);
    assert_eq!(taken(&mut scene.up), GET);
}

#[test]
fn a_request_is_held_back_and_let_go_when_the_fault_is_cleared() {
    let delay = ToxicKind::HttpDelay {
        delay: std::time::Duration::from_millis(100),
        requests: Which::default(),
    };
    let mut scene = Scene::with(vec![delay]);
    assert_eq!(scene.client(GET), "");
    assert_eq!(scene.requests.due(), Some(1 + 100 * MS));
    scene.now += 100 * MS;
    scene.run();
    assert_eq!(taken(&mut scene.up), GET);
    assert_eq!(scene.client(GET), "");
    scene.rules.clear();
    scene.requests.change(&[]);
    scene.run();
    assert_eq!(taken(&mut scene.up), GET);
}

#[test]
fn what_waits_here_is_counted() {
    let mut scene = Scene::with(vec![answered(503, "/orders*")]);
    assert_eq!(scene.requests.held(), 0);
    scene.client(&format!("{GET}{POST}{GET}"));
    assert_eq!(scene.requests.held(), GET.len(), "behind its answer");
    scene.server("HTTP/1.1 2");
    assert_eq!(scene.requests.held(), GET.len() + 10);
    scene.server(&OK[10..]);
    assert_eq!(scene.requests.held(), 0);
}

/// What cannot be followed.
const NOISE: &str = "\u{1}\u{2}";

#[test]
fn a_connection_ends_when_a_swallowed_request_cannot_be_answered_in_its_turn() {
    let half = &POST[..POST.len() - 2];
    for (swallowed, rest) in [(POST, ""), (half, &POST[half.len()..])] {
        let mut scene = Scene::with(vec![answered(503, "/orders*")]);
        assert_eq!(scene.client(&format!("{GET}{swallowed}")), GET);
        scene.server(NOISE);
        assert_eq!(scene.answers(), "<reset>", "{swallowed}");
        assert_eq!(scene.client(&format!("{rest}{GET}")), "", "{swallowed}");
    }
}

#[test]
fn a_connection_ends_when_the_end_of_a_swallowed_body_cannot_be_found() {
    let mut scene = Scene::with(vec![answered(503, "/orders*")]);
    let broken = CHUNKED.replace("5\r\nhello", "no\r\nhello");
    assert_eq!(scene.client(&broken), "");
    assert_eq!(scene.answers(), "<reset>");
}

#[test]
fn a_request_that_is_held_passes_in_its_time_when_answers_can_be_followed_no_longer() {
    let delay = ToxicKind::HttpDelay {
        delay: std::time::Duration::from_millis(100),
        requests: Which::default(),
    };
    let mut scene = Scene::with(vec![delay]);
    assert_eq!(scene.client(GET), "");
    scene.server(NOISE);
    assert_eq!(taken(&mut scene.up), "");
    scene.now += 100 * MS;
    scene.run();
    assert_eq!(taken(&mut scene.up), GET);
    assert_eq!(scene.client(GET), GET, "what follows is not looked at");
}

#[test]
fn a_client_that_asks_before_it_sends_is_answered_for_the_last_time() {
    let mut scene = Scene::with(vec![answered(500, "*")]);
    let ask = POST.replace("\r\n\r\nhello", "\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(scene.client(&ask), "");
    assert_eq!(
        scene.answers(),
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n<close>"
    );
}

#[test]
fn what_is_not_http_passes_untouched() {
    for text in [
        "\u{16}\u{3}\u{1} a client hello",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "*1\r\n$4\r\nPING\r\n",
        "GET / HTTP/1.1\r\ncontent-length: some\r\n\r\n",
    ] {
        let mut scene = Scene::with(vec![answered(503, "*")]);
        assert_eq!(scene.client(text), text);
        assert_eq!(scene.client(GET), GET, "nor what follows");
        assert_eq!(scene.answers(), "");
    }
}

#[test]
fn a_protocol_that_looks_like_a_request_at_first_is_not_kept_waiting_for_ever() {
    let mut scene = Scene::with(vec![answered(503, "*")]);
    assert_eq!(scene.client("HELLO"), "");
    scene.now = scene.requests.due().unwrap();
    scene.run();
    assert_eq!(taken(&mut scene.up), "HELLO");
}

#[test]
fn the_end_of_a_client_comes_behind_its_last_request() {
    let mut scene = Scene::with(vec![answered(503, "/orders*")]);
    scene.client(GET);
    scene.requests.end();
    assert_eq!(scene.client(""), "<fin>");
}

proptest! {
    #[test]
    fn bytes_pass_unchanged_however_they_are_cut(cuts in proptest::collection::vec(1..40_usize, 1..40)) {
        let whole = [POST, GET, CHUNKED, GET, POST].concat();
        let mut scene = Scene::with(vec![answered(503, "/nowhere")]);
        let (mut rest, mut got) = (whole.as_str(), String::new());
        for cut in cuts.into_iter().cycle() {
            let (head, tail) = rest.split_at(cut.min(rest.len()));
            got += &scene.client(head);
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(got, whole);
        prop_assert_eq!(scene.counts.read().seen, 5);
    }

    #[test]
    fn nothing_that_a_client_sends_breaks_it(text: Vec<u8>) {
        let mut scene = Scene::with(vec![answered(503, "*")]);
        scene.requests.push(&text, 1);
        scene.run();
    }
}
