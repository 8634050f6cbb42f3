//! The whole service over real sockets: what its pages answer, what faults do, what it counts, how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::*;

/// One connection that is kept alive.
struct Client(BufReader<TcpStream>);

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Client {
    fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) {
        let length = body.len();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nhost: shop\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn receive(&mut self) -> Reply {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.0.read_line(&mut head).unwrap() > 0, "closed: {head}");
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        Reply {
            status: head[9..12].parse().unwrap(),
            head,
            body: String::from_utf8(body).unwrap(),
        }
    }

    fn ask(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        self.send(method, path, headers, body);
        self.receive()
    }

    fn get(&mut self, path: &str) -> Reply {
        self.ask("GET", path, "", "")
    }
}

fn started(query: &str) -> (Handle, Client) {
    let handle = spawn(Options::from_query(query).unwrap()).unwrap();
    let client = Client::connect(handle.addr());
    (handle, client)
}

#[test]
fn a_shopper_finds_logs_in_fills_a_cart_and_orders() {
    let (_handle, mut shop) = started("service=fixed:0");
    assert_eq!(shop.get("/").status, 200);
    let found = shop.get("/search?q=red%20%22lamp");
    assert_eq!(found.status, 200);
    let found: serde_json::Value = serde_json::from_str(&found.body).unwrap();
    assert_eq!(found["query"], "red \"lamp");
    assert_eq!(found["results"].as_array().unwrap().len(), 10);
    assert_eq!(shop.get("/items/500").status, 200);
    assert_eq!(shop.get("/items/501").status, 404);
    assert_eq!(shop.get("/nowhere").status, 404);
    assert_eq!(shop.ask("POST", "/cart", "", r#"{"sku": 1}"#).status, 401);

    let login = shop.ask("POST", "/login", "", r#"{"user": "ann", "password": "x"}"#);
    assert_eq!(login.status, 200);
    let json: serde_json::Value = serde_json::from_str(&login.body).unwrap();
    let token = json["token"].as_str().unwrap();
    assert!(
        login
            .head
            .contains(&format!("set-cookie: session={token};"))
    );
    for header in [
        format!("authorization: Bearer {token}\r\n"),
        format!("cookie: colour=red; session={token}\r\n"),
    ] {
        let cart = shop.ask("POST", "/cart", &header, r#"{"sku": "7", "quantity": 2}"#);
        assert_eq!(
            (cart.status, &*cart.body),
            (200, r#"{"quantity":2,"sku":"7"}"#)
        );
    }

    let order = shop.ask("POST", "/orders", "", r#"{"sku": "7"}"#);
    assert_eq!((order.status, &*order.body), (201, r#"{"id":1,"sku":"7"}"#));
    assert!(shop.get("/orders/1").body.contains(r#""sku":"7""#));
    assert_eq!(shop.get("/orders/2").status, 404);
    assert!(shop.get("/events").body.contains(r#""id":1"#));
    assert_eq!(shop.get("/healthz").body, "ok\n");
}

#[test]
fn what_a_path_does_not_take_is_refused_and_the_connection_lives_on() {
    let (handle, mut shop) = started("service=fixed:0");
    let refused = shop.ask("DELETE", "/orders", "", "");
    assert_eq!(refused.status, 405);
    assert!(refused.head.contains("allow: POST"));
    assert_eq!(shop.ask("POST", "/login", "", "not json").status, 400);
    assert_eq!(
        shop.ask("POST", "/orders", "", r#"{"sku": ""}"#).status,
        422
    );
    assert_eq!(shop.get("/").status, 200);
    let mut other = Client::connect(handle.addr());
    let big = "x".repeat(70_000);
    assert_eq!(other.ask("POST", "/login", "", &big).status, 413);
}

#[test]
fn an_answer_comes_no_sooner_than_its_server_is_done() {
    let (handle, mut first) = started("servers=1&service=fixed:30ms");
    let begun = Instant::now();
    let mut others: Vec<Client> = (0..3).map(|_| Client::connect(handle.addr())).collect();
    for client in &mut others {
        client.send("GET", "/", "", "");
    }
    for client in &mut others {
        assert_eq!(client.receive().status, 200);
    }
    assert!(begun.elapsed() >= Duration::from_millis(90));
    assert_eq!(first.get("/healthz").status, 200);
}

#[test]
fn a_full_queue_is_answered_503_at_once() {
    let (handle, mut admin) = started("servers=1&queue=1&service=fixed:1h");
    let mut clients: Vec<Client> = (0..2).map(|_| Client::connect(handle.addr())).collect();
    for client in &mut clients {
        client.send("GET", "/", "", "");
    }
    wait_for(&mut admin, "shop_queue_depth 1");
    assert!(
        admin
            .get("/metrics")
            .body
            .contains("\nshop_servers_busy 1\n")
    );
    assert_eq!(admin.get("/").status, 503);
}

/// Scrapes until a line is there; the read timeout of the client bounds nothing here, the count does.
fn wait_for(client: &mut Client, line: &str) {
    for _ in 0..10_000 {
        if client
            .get("/metrics")
            .body
            .lines()
            .any(|found| found == line)
        {
            return;
        }
        std::thread::yield_now();
    }
    panic!("{line} never came: {}", client.get("/metrics").body);
}

#[test]
fn faults_switch_on_and_off_while_it_runs() {
    let (_handle, mut shop) = started("service=fixed:0");
    let set = |shop: &mut Client, json| shop.ask("POST", "/admin/faults", "", json);
    assert_eq!(set(&mut shop, r#"{"errors": 1}"#).status, 200);
    assert_eq!(shop.get("/").status, 500);
    assert_eq!(shop.get("/healthz").status, 200);
    assert_eq!(
        set(
            &mut shop,
            r#"{"errors": 0, "latency_ms": 60, "jitter_ms": 10}"#
        )
        .status,
        200
    );
    let begun = Instant::now();
    assert_eq!(shop.get("/").status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert!(
        shop.get("/admin/faults")
            .body
            .contains(r#""latency_ms":60.0"#)
    );
    let cleared = shop.ask("DELETE", "/admin/faults", "", "");
    assert!(
        cleared.body.contains(r#""latency_ms":0.0"#),
        "{}",
        cleared.body
    );
    let refused = set(&mut shop, r#"{"errors": 2}"#);
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("a share from 0 to 1"));
}

#[test]
fn a_stall_holds_answers_until_it_is_cleared_or_over() {
    for servers in [0, 1] {
        let (handle, mut admin) = started(&format!("servers={servers}&service=fixed:0"));
        assert_eq!(
            admin
                .ask("POST", "/admin/faults", "", r#"{"stall": true}"#)
                .status,
            200
        );
        let mut held: Vec<Client> = (0..5).map(|_| Client::connect(handle.addr())).collect();
        for client in &mut held {
            client.send("GET", "/", "", "");
        }
        // The scrape itself is the sixth.
        wait_for(&mut admin, "http_requests_in_flight 6");
        assert!(admin.get("/metrics").body.contains("\nshop_stalled 1\n"));
        assert_eq!(
            admin
                .ask("POST", "/admin/faults", "", r#"{"stall": false}"#)
                .status,
            200
        );
        for client in &mut held {
            assert_eq!(client.receive().status, 200);
        }
        let begun = Instant::now();
        let once = r#"{"stall": {"for_ms": 80}}"#;
        assert_eq!(admin.ask("POST", "/admin/faults", "", once).status, 200);
        assert_eq!(admin.get("/").status, 200);
        assert!(begun.elapsed() >= Duration::from_millis(80));
    }
}

#[test]
fn a_leak_shows_in_the_metrics_and_goes_when_cleared() {
    let (_handle, mut admin) = started("service=fixed:0");
    let on = r#"{"leak_bytes_per_s": 20000000}"#;
    assert_eq!(admin.ask("POST", "/admin/faults", "", on).status, 200);
    let deadline = Instant::now() + Duration::from_secs(20);
    while admin.get("/metrics").body.contains("\nshop_leak_bytes 0\n") {
        assert!(Instant::now() < deadline, "nothing leaked");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(admin.ask("DELETE", "/admin/faults", "", "").status, 200);
    assert!(admin.get("/metrics").body.contains("\nshop_leak_bytes 0\n"));
}

/// A sample line of the text format: name, optional labels with escapes, a number.
fn is_sample(line: &str) -> bool {
    let sample = regex::Regex::new(
        r#"^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\["\\n])*",?)*\})? [0-9.e+-]+$"#,
    );
    sample.unwrap().is_match(line)
}

#[test]
fn the_metrics_are_prometheus_text_and_count_what_was_sent() {
    let (_handle, mut shop) = started("service=fixed:0");
    for id in 491..=510 {
        shop.get(&format!("/items/{id}"));
    }
    for _ in 0..7 {
        shop.ask("POST", "/orders", "", r#"{"sku": 3}"#);
    }
    shop.get("/nowhere");
    let reply = shop.get("/metrics");
    assert!(
        reply
            .head
            .contains("content-type: text/plain; version=0.0.4")
    );
    for line in reply.body.lines() {
        let comment = line.starts_with("# HELP ") || line.starts_with("# TYPE ");
        assert!(comment || is_sample(line), "{line}");
    }
    assert!(reply.body.ends_with('\n'));
    for line in [
        r#"http_requests_total{route="/items/{id}",method="GET",status="200"} 10"#,
        r#"http_requests_total{route="/items/{id}",method="GET",status="404"} 10"#,
        r#"http_requests_total{route="/orders",method="POST",status="201"} 7"#,
        r#"http_requests_total{route="other",method="any",status="404"} 1"#,
        r#"http_request_duration_seconds_count{route="/items/{id}",method="GET"} 20"#,
        "shop_orders_total 7",
        "http_requests_in_flight 1",
        "http_connections 1",
        "shop_leak_bytes 0",
    ] {
        assert!(reply.body.lines().any(|found| found == line), "{line}");
    }
    for name in [
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_start_time_seconds",
    ] {
        assert!(reply.body.contains(&format!("\n{name} ")), "{name}");
    }
    let types = reply
        .body
        .lines()
        .filter(|line| line.starts_with("# TYPE "));
    let mut names: Vec<&str> = types.map(|line| line.split(' ').nth(2).unwrap()).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "a metric is declared once");
}

#[test]
fn metrics_can_be_switched_off() {
    let (_handle, mut shop) = started("service=fixed:0&metrics=off");
    assert_eq!(shop.get("/metrics").status, 404);
}

#[test]
fn a_client_that_never_reads_holds_up_nobody() {
    let (handle, mut shop) = started("service=fixed:0");
    let mut deaf = TcpStream::connect(handle.addr()).unwrap();
    deaf.set_nonblocking(true).unwrap();
    let request = b"GET /search?q=x HTTP/1.1\r\nhost: shop\r\n\r\n".repeat(100);
    // Until both directions are full, or enough was sent to fill them.
    for _ in 0..5_000 {
        if deaf.write(&request).is_err() {
            break;
        }
    }
    for _ in 0..100 {
        assert_eq!(shop.get("/").status, 200);
    }
}

#[test]
fn a_client_that_leaves_is_counted_as_one_that_left() {
    let (handle, mut shop) = started("service=fixed:1h&servers=0");
    let mut leaver = Client::connect(handle.addr());
    leaver.send("GET", "/", "", "");
    wait_for(&mut shop, "http_requests_in_flight 2");
    drop(leaver);
    wait_for(
        &mut shop,
        r#"http_requests_total{route="/",method="GET",status="499"} 1"#,
    );
}

#[test]
fn it_ends_soon_even_while_requests_are_held() {
    let (handle, mut shop) = started("service=fixed:1h");
    shop.send("GET", "/", "", "");
    let begun = Instant::now();
    handle.stop().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn it_speaks_http_2_to_who_knows_that_beforehand() {
    let (handle, _shop) = started("service=exp:100us");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(handle.addr()).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io)
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        for _ in 0..20 {
            let request = hyper::Request::get(handle.url() + "/items/3")
                .body(http_body_util::Empty::<bytes::Bytes>::new())
                .unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.version(), hyper::Version::HTTP_2);
        }
        drop(sender);
        connection.await.unwrap().unwrap();
    });
}

#[test]
fn it_refuses_to_serve_where_others_could_reach_it() {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let error = serve(listener, Options::default(), std::future::pending()).unwrap_err();
    assert!(error.to_string().contains("loopback only"), "{error}");
}
