//! Queues and routes in a network namespace of the test's own.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use stormdeck::fault::network::NetworkFault;
use stormdeck::profile::model::Network;
use stormdeck::profile::units::Ratio;

use super::{break_it, bring_back, refusal};

/// Set in the copy of this test that runs in a namespace of its own.
const INSIDE: &str = "STORMDECK_TEST_IN_NAMESPACE";

/// Runs the test of this name again where it cannot do any harm, with a pair of interfaces `v0` and `v1`. True in there.
fn inside(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !Command::new("unshare")
        .args(["-n", "true"])
        .status()
        .is_ok_and(|status| status.success())
    {
        println!("skipped: no network namespace can be made here (root and `unshare` are needed)");
        return false;
    }
    let setup = "ip link set lo up && ip link add v0 type veth peer name v1 && ip link set v0 up \
                 && ip link set v1 up && ip addr add 10.9.0.1/24 dev v0 && exec \"$@\"";
    let own = std::env::current_exe().unwrap();
    let status = Command::new("unshare")
        .args(["-n", "sh", "-c", setup, "sh"])
        .arg(own)
        .args(["--exact", &format!("network::{name}"), "--nocapture"])
        .env(INSIDE, "1")
        .env_remove("SSH_CONNECTION")
        .status()
        .unwrap();
    assert!(status.success(), "it failed in its namespace");
    false
}

fn says(program: &str, words: &str) -> String {
    let output = Command::new(program)
        .args(words.split(' '))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn do_it(program: &str, words: &str) {
    let status = Command::new(program)
        .args(words.split(' '))
        .status()
        .unwrap();
    assert!(status.success(), "{program} {words}");
}

fn rate(interface: &str) -> NetworkFault {
    NetworkFault::new(Network::Shape {
        interface: interface.to_owned(),
        delay: None,
        jitter: None,
        loss: None,
        rate: Some(1_000_000),
    })
}

fn blackhole(hosts: &[&str]) -> NetworkFault {
    NetworkFault::new(Network::Blackhole {
        hosts: hosts.iter().map(ToString::to_string).collect(),
    })
}

#[test]
fn a_rate_is_put_on_an_interface_and_taken_off() {
    if !inside("a_rate_is_put_on_an_interface_and_taken_off") {
        return;
    }
    let undo = break_it(&rate("v0"));
    let there = says("tc", "qdisc show dev v0");
    assert!(
        there.contains("tbf 504d: root") && there.contains("rate 8Mbit"),
        "{there}"
    );
    assert!(refusal(&rate("v0")).contains("has a queue of stormdeck already"));
    bring_back(&undo);
    assert!(!says("tc", "qdisc show dev v0").contains("504d"));
    bring_back(&undo);
    let again = break_it(&rate("v0"));
    do_it("ip", "link del v0");
    let said = bring_back(&again).said;
    assert!(said.ends_with("is gone"), "{said}");
}

#[test]
fn what_somebody_set_up_is_not_touched() {
    if !inside("what_somebody_set_up_is_not_touched") {
        return;
    }
    let undo = break_it(&rate("v0"));
    do_it(
        "tc",
        "qdisc replace dev v0 root handle 7: tbf rate 1mbit burst 32kb latency 50ms",
    );
    bring_back(&undo);
    assert!(says("tc", "qdisc show dev v0").contains("tbf 7: root"));
    let why = refusal(&rate("v0"));
    assert!(why.contains("somebody set up (`tbf 7:`)"), "{why}");
    assert!(refusal(&rate("lo")).contains("loopback"));
    assert!(
        refusal(&rate("v9")).contains("does not exist"),
        "{}",
        refusal(&rate("v9"))
    );
}

#[test]
fn delay_works_or_the_missing_part_of_the_kernel_is_named() {
    if !inside("delay_works_or_the_missing_part_of_the_kernel_is_named") {
        return;
    }
    let fault = NetworkFault::new(Network::Shape {
        interface: "v0".into(),
        delay: Some(Duration::from_millis(100)),
        jitter: None,
        loss: Some(Ratio(1.0)),
        rate: None,
    });
    let driver: &dyn stormdeck::fault::driver::Driver = &fault;
    let (undo, done) = super::block_on(async {
        let undo = driver.prepare().await.unwrap();
        let done = driver.inject(&undo).await;
        (undo, done)
    });
    match done {
        Ok(_) => assert!(says("tc", "qdisc show dev v0").contains("netem 504d: root")),
        Err(why) => {
            assert!(
                why.0.contains("the kernel of this machine has no `netem`"),
                "{why}"
            );
            assert!(why.0.contains("blackhole"), "{why}");
            println!("netem was not tried: {why}");
        }
    }
    bring_back(&undo);
    assert!(!says("tc", "qdisc show dev v0").contains("504d"));
}

#[test]
fn hosts_behind_a_blackhole_are_not_reached() {
    if !inside("hosts_behind_a_blackhole_are_not_reached") {
        return;
    }
    let send = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        socket
            .connect(("10.9.0.5", 9))
            .and_then(|()| socket.send(b"x"))
    };
    assert!(send().is_ok());
    let undo = break_it(&blackhole(&["10.9.0.5", "10.77.0.0/16"]));
    assert!(send().is_err());
    do_it("ip", "route add blackhole 10.66.0.0/16");
    bring_back(&undo);
    assert!(send().is_ok());
    let left = says("ip", "route show type blackhole");
    assert_eq!(left.trim(), "blackhole 10.66.0.0/16");
    bring_back(&undo);
    assert!(refusal(&blackhole(&["10.66.0.0/16"])).contains("already, which is not replaced"));
}

#[test]
fn this_machine_and_its_way_out_are_not_cut_off() {
    if !inside("this_machine_and_its_way_out_are_not_cut_off") {
        return;
    }
    do_it("ip", "route add default via 10.9.0.254");
    assert!(refusal(&blackhole(&["10.9.0.0/25"])).contains("an address of this machine (`v0`)"));
    assert!(refusal(&blackhole(&["10.9.0.254"])).contains("this machine's way out"));
    assert!(refusal(&blackhole(&["0.0.0.0/0"])).contains("every host there is"));
    assert!(refusal(&blackhole(&["127.0.0.0/8"])).contains("an address of this machine (`lo`)"));
}
