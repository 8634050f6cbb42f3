//! What a profile may say of these faults, and what it is told when it says something else.

use std::path::Path;
use std::time::Duration;

use stormdeck::profile::model::{CommandLine, FaultDriver, Profile};
use stormdeck::profile::{self, LoadError, Options};

fn read(fault: &str) -> Result<Profile, LoadError> {
    let text = format!("[window]\nduration = \"1s\"\n[[fault]]\nname = \"it\"\n{fault}");
    let mut options = Options::default();
    options.variables.push(("TOKEN".into(), "hunter2".into()));
    profile::parse(&text, Path::new("/base"), &options)
}

/// The mistakes, one a line, without their places.
fn mistakes(fault: &str) -> String {
    let error = read(fault).unwrap_err();
    let LoadError::Profile(error) = error else {
        panic!("{error}")
    };
    let text = error.render(false);
    assert!(!text.contains("hunter2"), "{text}");
    let lines = text.lines().filter_map(|line| line.strip_prefix("error: "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_secret_is_no_argument() {
    let why = "a secret cannot be an argument: every user of the machine can read those of a running program";
    let word = "\"${secret:TOKEN}\"";
    for fault in [
        format!("inject = [\"curl\", {word}]\nrevert = [\"true\"]"),
        format!("inject = [\"true\"]\nrevert = {word}\nshell = true"),
        format!("inject = [\"true\"]\nrevert = [\"true\"]\ncheck = [\"curl\", {word}]"),
        format!("process = {{ port = 1, kill = true, restart = [\"x\", {word}] }}"),
    ] {
        assert_eq!(mistakes(&fault), why, "{fault}");
    }
}

#[test]
fn programs_take_a_shell_a_limit_variables_and_a_folder() {
    let fault = r#"
inject = "echo $X"
revert = ["echo", "back"]
shell = true
timeout = "5s"
env = { X = "${secret:TOKEN}" }
dir = "scripts"
"#;
    let profile = read(fault).unwrap();
    let FaultDriver::Exec {
        inject,
        revert,
        check,
    } = &profile.faults[0].driver
    else {
        panic!("{profile:?}")
    };
    let with = |words: [&str; 1], shell| (words.map(str::to_owned).to_vec(), shell);
    let of = |line: &CommandLine| {
        assert_eq!(line.timeout, Duration::from_secs(5));
        assert_eq!(line.dir.as_deref(), Some(Path::new("/base/scripts")));
        assert_eq!(line.env["X"].reveal(), "hunter2");
        let words = line.words.iter().skip(line.words.len() - 1);
        (
            words.map(ToString::to_string).collect::<Vec<_>>(),
            line.shell,
        )
    };
    assert_eq!(of(inject), with(["echo $X"], true));
    assert_eq!(of(revert), with(["back"], false));
    assert!(check.is_none());
}

#[test]
fn mistakes_in_programs_are_told() {
    insta::assert_snapshot!(
        mistakes("inject = \"rm -rf x\"\nrevert = [\"\"]\nenv = { \"A=B\" = \"x\" }\ntimeout = \"0s\"\nshel = true"),
        @r"
    `inject` is a list: the program, then its arguments
    the name of the program is empty
    `A=B` is not the name of a variable
    `timeout` must be longer than nothing
    a fault has no key `shel`
    "
    );
    insta::assert_snapshot!(mistakes("inject = \" \"\nshell = true"), @r"
    a fault needs `revert`
    there is nothing to run
    ");
}

#[test]
fn requests_are_given_one_by_one_or_as_a_list() {
    let fault = r#"
[fault.http]
inject = [{ post = "http://127.0.0.1:1/a", json = { x = [1, "${secret:TOKEN}"] } }, { method = "PURGE", url = "embedded://shop/x" }]
revert = { delete = "http://localhost:1/a", expect = { status = [204, 404] } }
check = { get = "http://127.0.0.1:1/a", expect = { status = 200, body_contains = "ok" }, timeout = "2s" }
"#;
    let profile = read(fault).unwrap();
    let FaultDriver::Http {
        inject,
        revert,
        check,
    } = &profile.faults[0].driver
    else {
        panic!("{profile:?}")
    };
    assert_eq!(
        inject[0].body.as_ref().unwrap().reveal(),
        r#"{"x":[1,"hunter2"]}"#
    );
    assert_eq!(inject[0].headers[0].0, "content-type");
    assert_eq!(inject[0].timeout, Duration::from_secs(10));
    assert_eq!(inject[1].method, "PURGE");
    assert_eq!(revert[0].status, [204, 404]);
    let check = check.as_ref().unwrap();
    assert_eq!(check.timeout, Duration::from_secs(2));
    assert_eq!(check.body_contains.as_ref().unwrap().reveal(), "ok");
}

#[test]
fn mistakes_in_requests_are_told() {
    let fault = r#"
[fault.http]
inject = [{ post = "http://prod.example.com/a" }, { json = {} }, { post = "ftp://127.0.0.1/" }, { get = "embedded://bank/" }]
revert = { post = "http://127.0.0.1:1/{{ x }}", form = { a = "b" }, expect = { status = 99, header = "x" } }
cheque = {}
"#;
    insta::assert_snapshot!(mistakes(fault), @r"
    `prod.example.com` is not allowed: load and faults go to loopback and `allow_hosts` only
    a request needs `get`, `post`, `put`, `patch` or `delete`
    `ftp://127.0.0.1/` must be `http://…` or `https://…` or `embedded://…`
    this demo service does not exist
    the request of a fault sends a `body` or `json`
    nothing is filled in here: the requests of a fault are always the same
    `status` must be at least 100, not 99
    `expect` has no key `header`
    `http` has no key `cheque`
    ");
    insta::assert_snapshot!(mistakes("http = { inject = [] }"), @r"
    `http` needs `revert`
    `inject` is empty
    ");
}

#[test]
fn mistakes_about_a_toxiproxy_are_told() {
    let fault = "toxiproxy = { api = \"http://prod.example.com:8474\", prxy = \"db\" }\ntoxics = [{ bandwidth = \"10B/s\" }]";
    insta::assert_snapshot!(mistakes(fault), @r"
    Toxiproxy counts a bandwidth in whole KB/s: less than `1KB/s` needs the built-in `proxy`
    `toxiproxy` needs `proxy`
    `prod.example.com` is not allowed: load and faults go to loopback and `allow_hosts` only
    `toxiproxy` has no key `prxy`
    ");
    insta::assert_snapshot!(mistakes("toxiproxy = { api = \"127.0.0.1:8474\", proxy = \"db\" }"), @r"
    a fault needs `toxics`
    `127.0.0.1:8474` is not a URL
    ");
    let between = |ends: &str| {
        let at = "api = \"http://127.0.0.1:8474\", proxy = \"db\"";
        mistakes(&format!(
            "toxiproxy = {{ {at}, {ends} }}\ntoxics = [{{ latency = \"1ms\" }}]"
        ))
    };
    let said = [
        r#"listen = "127.0.0.1:1""#,
        r#"upstream = "127.0.0.1:1""#,
        r#"listen = "toxics:1", upstream = "prod.example.com:1""#,
        r#"listen = "127.0.0.1:0", upstream = "127.0.0.1:0""#,
        r#"listen = "127.0.0.1:1", upstream = "localhost:1""#,
        r#"listen = "127.0.0.1", upstream = 1"#,
    ]
    .map(between);
    insta::assert_snapshot!(said.join("\n"), @r"
    `listen` without `upstream`: a proxy that is to be created needs both
    `upstream` without `listen`: a proxy that is to be created needs both
    `toxics:1` is not an address of the Toxiproxy's machine
    `prod.example.com` is not allowed: load and faults go to loopback and `allow_hosts` only
    a proxy on port 0 would listen where nobody looks for it; name a port
    nothing listens on port 0
    this proxy would forward to itself
    `127.0.0.1` is not an address; write it like `127.0.0.1:8080`
    `upstream` must be a string
    ");
}

#[test]
fn a_toxiproxy_may_be_told_between_what_to_create_a_proxy() {
    let fault = r#"
toxiproxy = { api = "http://127.0.0.1:8474", proxy = "db", listen = "0.0.0.0:15432", upstream = "[::1]:5432" }
toxics = [{ latency = "1ms" }]
"#;
    let profile = read(fault).unwrap();
    let FaultDriver::Toxiproxy { ends, .. } = &profile.faults[0].driver else {
        panic!("{profile:?}")
    };
    let ends = ends.as_ref().unwrap();
    assert_eq!(
        (&ends.listen[..], &ends.upstream[..]),
        ("0.0.0.0:15432", "[::1]:5432")
    );
}

#[test]
fn recipes_are_offered_to_who_asks_for_one() {
    let error = profile::load("faults/nginx", &Options::default()).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("faults/nginx-reload, faults/nginx-stop"),
        "{said}"
    );
    assert!(!said.contains("breakpoint"), "{said}");
}
