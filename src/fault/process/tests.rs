use std::process::{Child, Command, Stdio};

use super::*;
use crate::fault::driver::Proof;

/// A shell with two children, ended with them on drop.
struct Family(Child);

impl Family {
    /// `mark` is in its command line, and in no other.
    fn start(mark: &str) -> Self {
        let script = format!("sleep 300 & sleep 300 & echo; wait # {mark}");
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The line says that the children are there.
        let mut byte = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut byte).unwrap();
        Self(child)
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    fn states(&self) -> String {
        let all = tree::all();
        let own = all
            .iter()
            .filter(|stat| stat.pid == self.pid() || stat.ppid == self.pid());
        own.map(|stat| stat.state).collect()
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        let own: Vec<i32> = tree::all()
            .iter()
            .filter(|stat| stat.pid == self.pid() || stat.ppid == self.pid())
            .map(|stat| stat.pid)
            .collect();
        for process in own.into_iter().filter_map(Identity::of) {
            let _ = process.signal(rustix::process::Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

fn command(pattern: &str) -> Which {
    Which::Command(pattern.to_owned())
}

/// A way back as a watchdog reads it.
fn reread(undo: &Undo) -> Undo {
    serde_json::from_str(&serde_json::to_string(undo).unwrap()).unwrap()
}

#[tokio::test]
async fn a_process_and_its_children_stand_still_and_go_on() {
    let family = Family::start("still-48127");
    let fault = ProcessFault::new(command("still-48127"), ProcessAct::Pause);
    let undo = fault.prepare().await.unwrap();
    assert!(!family.states().contains('T'));
    let done = fault.inject(&undo).await.unwrap();
    assert_eq!(done.proof, Proof::Seen);
    assert_eq!(
        done.said,
        format!("process {} and 2 descendants stand still", family.pid())
    );
    assert_eq!(family.states(), "TTT");
    let refused = fault.prepare().await.unwrap_err().to_string();
    assert!(refused.contains("stands still already"), "{refused}");
    let undo = reread(&undo);
    assert_eq!(undo.revert().await.unwrap().proof, Proof::Seen);
    assert!(!family.states().contains('T'));
    undo.revert().await.unwrap();
    assert!(!family.states().contains('T'));
}

#[tokio::test]
async fn children_go_on_when_their_parent_died_while_it_stood_still() {
    let family = Family::start("orphans-48127");
    let fault = ProcessFault::new(command("orphans-48127"), ProcessAct::Pause);
    let undo = fault.prepare().await.unwrap();
    fault.inject(&undo).await.unwrap();
    let Undo::Process(ProcessUndo::Pause { root, descendants }) = &undo else {
        panic!("{undo:?}");
    };
    root.signal(rustix::process::Signal::KILL).unwrap();
    tree::gone(&[*root]).await.unwrap();
    undo.revert().await.unwrap();
    for child in descendants {
        assert_ne!(child.stat().unwrap().state, 'T');
        child.signal(rustix::process::Signal::KILL).unwrap();
    }
    drop(family);
}

#[tokio::test]
async fn a_number_that_another_process_has_now_is_not_touched() {
    let family = Family::start("another-48127");
    let true_one = Identity::of(family.pid()).unwrap();
    let earlier = Identity {
        start: true_one.start - 1,
        ..true_one
    };
    assert!(!earlier.signal(rustix::process::Signal::KILL).unwrap());
    assert!(true_one.lives() && !earlier.lives());
    let undo = ProcessUndo::Pause {
        root: earlier,
        descendants: Vec::new(),
    };
    tree::stop(true_one).await.unwrap();
    undo.revert().await.unwrap();
    assert_eq!(family.states(), "TTT");
}

#[tokio::test]
async fn what_is_killed_is_started_again_and_found() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let family = Family::start("killed-48127");
    std::fs::write(&file, format!("{}\nmore\n", family.pid())).unwrap();
    let script = format!(
        "echo $$ > {0}.new; mv {0}.new {0}; exec sleep 300",
        file.display()
    );
    let words = ["sh", "-c", &script].map(crate::profile::secret::Text::plain);
    let restart = crate::profile::model::CommandLine {
        words: words.to_vec(),
        ..Default::default()
    };
    let act = ProcessAct::Kill {
        restart: Some(restart),
        within: Duration::from_secs(20),
    };
    let fault = ProcessFault::new(Which::PidFile(file.clone()), act);
    let undo = fault.prepare().await.unwrap();
    // Nothing was done yet: there is nothing to bring back.
    let said = undo.revert().await.unwrap().said;
    assert!(said.ends_with("was not killed"), "{said}");
    let done = fault.inject(&undo).await.unwrap();
    assert!(
        done.said.ends_with("and 2 descendants are gone"),
        "{}",
        done.said
    );
    let undo = reread(&undo);
    assert_eq!(undo.revert().await.unwrap().proof, Proof::Seen);
    let second = find::one(&Which::PidFile(file.clone())).await.unwrap();
    assert_ne!(second.pid, family.pid());
    // In a session of its own.
    assert_eq!(second.stat().unwrap().session, second.pid);
    undo.revert().await.unwrap();
    assert_eq!(find::one(&Which::PidFile(file)).await, Ok(second));
    second.signal(rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn the_way_back_is_the_same_from_every_directory() {
    let family = Family::start("where-48127");
    // Relative to the directory of this process, whichever that is.
    let here = std::env::current_dir().unwrap();
    let dir = tempfile::tempdir_in(&here).unwrap();
    let path = dir.path().strip_prefix(&here).unwrap().join("pid");
    std::fs::write(&path, family.pid().to_string()).unwrap();
    for asked in [None, Some("src".into())] {
        let act = ProcessAct::Kill {
            restart: Some(crate::profile::model::CommandLine {
                words: vec![crate::profile::secret::Text::plain("sh")],
                dir: asked.clone(),
                ..Default::default()
            }),
            within: Duration::from_secs(1),
        };
        let fault = ProcessFault::new(Which::PidFile(path.clone()), act);
        let undo = fault.prepare().await.unwrap();
        let Undo::Process(ProcessUndo::Kill { which, .. }) = &undo else {
            panic!("{undo:?}");
        };
        assert_eq!(*which, Which::PidFile(dir.path().join("pid")));
        let text = serde_json::to_value(&undo).unwrap();
        let wanted = asked.map_or(here.clone(), |dir: std::path::PathBuf| here.join(dir));
        assert_eq!(text["restart"]["dir"], wanted.to_str().unwrap());
    }
}

#[tokio::test]
async fn a_way_back_that_is_taken_again_starts_no_second_copy() {
    let dir = tempfile::tempdir().unwrap();
    let (pid, starts) = (dir.path().join("pid"), dir.path().join("starts"));
    let family = Family::start("once-48127");
    std::fs::write(&pid, family.pid().to_string()).unwrap();
    // It takes longer to be found than is waited for at first.
    let script = format!(
        "echo x >> {}; sleep 1.5; echo $$ > {1}.new; mv {1}.new {1}; exec sleep 300",
        starts.display(),
        pid.display()
    );
    let restart = crate::profile::model::CommandLine {
        words: ["sh", "-c", &script]
            .map(crate::profile::secret::Text::plain)
            .to_vec(),
        ..Default::default()
    };
    let act = ProcessAct::Kill {
        restart: Some(restart),
        within: Duration::from_millis(300),
    };
    let fault = ProcessFault::new(Which::PidFile(pid.clone()), act);
    let undo = fault.prepare().await.unwrap();
    fault.inject(&undo).await.unwrap();
    let mut tries = 1;
    while undo.revert().await.is_err() {
        tries += 1;
        assert!(tries < 60);
    }
    assert!(tries > 1);
    assert_eq!(std::fs::read_to_string(starts).unwrap(), "x\n");
    let second = find::one(&Which::PidFile(pid)).await.unwrap();
    second.signal(rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn what_somebody_else_has_started_already_is_not_started_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (pid, starts) = (dir.path().join("pid"), dir.path().join("starts"));
    let family = Family::start("others-48127");
    std::fs::write(&pid, family.pid().to_string()).unwrap();
    let script = format!(
        "echo x >> {}; sleep 1; echo $$ > {1}.new; mv {1}.new {1}; exec sleep 300",
        starts.display(),
        pid.display()
    );
    let words = ["sh", "-c", &script];
    let act = ProcessAct::Kill {
        restart: Some(crate::profile::model::CommandLine {
            words: words.map(crate::profile::secret::Text::plain).to_vec(),
            ..Default::default()
        }),
        within: Duration::from_secs(20),
    };
    let fault = ProcessFault::new(Which::PidFile(pid.clone()), act);
    let undo = fault.prepare().await.unwrap();
    let Undo::Process(ProcessUndo::Kill { root, .. }) = &undo else {
        panic!("{undo:?}");
    };
    let root = *root;
    fault.inject(&undo).await.unwrap();
    // As an earlier version wrote it.
    let mut written = serde_json::to_value(&undo).unwrap();
    written.as_object_mut().unwrap().remove("program").unwrap();
    let undo: Undo = serde_json::from_value(written).unwrap();
    // As an engine that was killed right after that.
    let mut first = Command::new("setsid")
        .args(words)
        .env(crate::fault::program::MARK, restart::mark_of(root))
        .spawn()
        .unwrap();
    while !starts.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    reread(&undo).revert().await.unwrap();
    assert_eq!(std::fs::read_to_string(starts).unwrap(), "x\n");
    first.kill().unwrap();
    first.wait().unwrap();
}

#[tokio::test]
async fn what_is_started_again_gets_no_secret_but_those_of_its_own_variables() {
    let dir = tempfile::tempdir().unwrap();
    let (pid, env) = (dir.path().join("pid"), dir.path().join("env"));
    let family = Family::start("secrets-48127");
    std::fs::write(&pid, family.pid().to_string()).unwrap();
    let script = format!(
        "env > {}; echo $$ > {1}.new; mv {1}.new {1}; exec sleep 300",
        env.display(),
        pid.display()
    );
    let text = crate::profile::secret::Text::plain;
    let restart = crate::profile::model::CommandLine {
        words: ["sh", "-c", &script].map(text).to_vec(),
        env: [("OWN".to_owned(), text("it"))].into(),
        ..Default::default()
    };
    let act = ProcessAct::Kill {
        restart: Some(restart),
        within: Duration::from_secs(20),
    };
    // A variable that a process of a test has.
    let secret = "CARGO_PKG_NAME";
    let mut secrets = Secrets::default();
    secrets.insert(secret, std::env::var(secret).unwrap());
    let fault = ProcessFault::new(Which::PidFile(pid.clone()), act).hiding(&secrets);
    let undo = fault.prepare().await.unwrap();
    fault.inject(&undo).await.unwrap();
    reread(&undo).revert().await.unwrap();
    let env = std::fs::read_to_string(env).unwrap();
    assert!(env.contains("OWN=it") && env.contains("PATH="), "{env}");
    assert!(!env.contains(secret), "{env}");
    let second = find::one(&Which::PidFile(pid)).await.unwrap();
    second.signal(rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_way_back_of_an_earlier_version_is_still_read() {
    let old = r#"{"act":"kill","root":{"pid":7,"start":9},"line":1,"which":{"port":80},
        "restart":{"words":["a","b"],"shell":false,"dir":"/srv"},"within":{"secs":1,"nanos":0}}"#;
    let undo: ProcessUndo = serde_json::from_str(old).unwrap();
    let again = serde_json::to_value(&undo).unwrap();
    assert_eq!(
        again["restart"],
        serde_json::json!({ "words": ["a", "b"], "dir": "/srv" })
    );
}

#[tokio::test]
async fn nobody_is_left_standing_still_when_a_blow_fell_on_some_only() {
    let family = Family::start("half-48127");
    let act = ProcessAct::Kill {
        restart: None,
        within: Duration::from_millis(100),
    };
    let fault = ProcessFault::new(command("half-48127"), act);
    let undo = reread(&fault.prepare().await.unwrap());
    let Undo::Process(ProcessUndo::Kill {
        root, descendants, ..
    }) = &undo
    else {
        panic!("{undo:?}");
    };
    assert_eq!(descendants.len(), 2);
    // Given up between the two halves of the injection, and in the middle of the second.
    tree::stop(*root).await.unwrap();
    undo.revert().await.unwrap();
    assert!(!family.states().contains('T'));
    tree::stop(*root).await.unwrap();
    root.signal(rustix::process::Signal::KILL).unwrap();
    undo.revert().await.unwrap_err();
    for child in descendants {
        assert_ne!(child.stat().unwrap().state, 'T');
        child.signal(rustix::process::Signal::KILL).unwrap();
    }
}

#[tokio::test]
async fn a_tree_with_a_process_of_another_user_is_refused_before_anything_is_stopped() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let first = Identity::of(1).unwrap();
    let why = tree::running(first).await.unwrap_err();
    assert!(why.0.contains("takes no signal from this user"), "{why}");
    let own = Identity::of(std::process::id().cast_signed()).unwrap();
    let why = tree::signal_all(&[first, own, first], rustix::process::Signal::CONT);
    assert_eq!(why.unwrap_err().0.matches("process 1 takes").count(), 2);
}

#[tokio::test]
async fn the_program_that_starts_it_is_not_taken_for_it() {
    let family = Family::start("starter-48127");
    // Its own command line fits, and it takes its time.
    let script = "sleep 0.5; setsid sh -c 'sleep 300; : starter-48127' & sleep 1";
    let restart = crate::profile::model::CommandLine {
        words: ["sh", "-c", script]
            .map(crate::profile::secret::Text::plain)
            .to_vec(),
        ..Default::default()
    };
    let act = ProcessAct::Kill {
        restart: Some(restart),
        within: Duration::from_secs(20),
    };
    let fault = ProcessFault::new(command("starter-48127"), act);
    let undo = fault.prepare().await.unwrap();
    fault.inject(&undo).await.unwrap();
    undo.revert().await.unwrap();
    let second = find::one(&command("starter-48127")).await.unwrap();
    let line = find::command_line(second.pid).unwrap();
    assert_eq!(line, "sh -c sleep 300; : starter-48127");
    for process in tree::of(second).await.unwrap() {
        process.signal(rustix::process::Signal::KILL).unwrap();
    }
    drop(family);
}

#[tokio::test]
async fn another_program_whose_command_line_fits_is_not_taken_for_it() {
    use std::os::unix::process::CommandExt as _;

    let family = Family::start("reader-48127");
    let script = "sleep 300 & sleep 300 & echo; wait # reader-48127";
    let restart = crate::profile::model::CommandLine {
        words: ["sh", "-c", script]
            .map(crate::profile::secret::Text::plain)
            .to_vec(),
        ..Default::default()
    };
    let act = ProcessAct::Kill {
        restart: Some(restart),
        within: Duration::from_secs(20),
    };
    let fault = ProcessFault::new(command("reader-48127"), act);
    let undo = fault.prepare().await.unwrap();
    fault.inject(&undo).await.unwrap();
    // As one who looks into its log.
    let mut reader = Command::new("sleep")
        .arg0("reader-48127.log")
        .arg("300")
        .spawn()
        .unwrap();
    let undo = reread(&undo);
    for _ in 0..2 {
        let said = undo.revert().await.unwrap().said;
        assert!(!said.contains(&reader.id().to_string()), "{said}");
    }
    let of_it = |stat: &procfs::process::Stat| {
        find::command_line(stat.pid).is_some_and(|line| line.ends_with(script))
    };
    let all = tree::all();
    let started: Vec<_> = all.iter().filter(|stat| of_it(stat)).collect();
    assert_eq!(started.len(), 1);
    let started = Identity::of(started[0].pid).unwrap();
    for process in tree::of(started).await.unwrap() {
        process.signal(rustix::process::Signal::KILL).unwrap();
    }
    reader.kill().unwrap();
    reader.wait().unwrap();
    drop(family);
}

#[tokio::test]
async fn what_nobody_starts_again_is_an_error() {
    let _family = Family::start("forever-48127");
    let act = ProcessAct::Kill {
        restart: None,
        within: Duration::from_millis(200),
    };
    let fault = ProcessFault::new(command("forever-48127"), act);
    let undo = fault.prepare().await.unwrap();
    fault.inject(&undo).await.unwrap();
    let why = undo.revert().await.unwrap_err().to_string();
    assert!(
        why.starts_with("nothing has started it again: no process"),
        "{why}"
    );
}

#[tokio::test]
async fn stormdeck_its_ancestors_and_the_first_process_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    for pid in [std::process::id(), std::os::unix::process::parent_id(), 1] {
        std::fs::write(&file, pid.to_string()).unwrap();
        let why = find::one(&Which::PidFile(file.clone())).await.unwrap_err();
        assert!(why.0.ends_with("it is not touched"), "{why}");
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let why = find::one(&Which::Port(port)).await.unwrap_err();
    assert!(why.0.ends_with("it is not touched"), "{why}");
    drop(listener);
    let why = find::one(&Which::Port(port)).await.unwrap_err();
    assert!(
        why.0.starts_with("no process of this machine listens"),
        "{why}"
    );
}

#[tokio::test]
async fn a_number_in_a_file_that_is_older_than_its_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pid");
    let family = Family::start("stale-48127");
    std::fs::write(&path, family.pid().to_string()).unwrap();
    let which = Which::PidFile(path.clone());
    assert_eq!(find::one(&which).await.unwrap().pid, family.pid());
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let earlier = std::time::SystemTime::now() - Duration::from_mins(1);
    file.set_modified(earlier).unwrap();
    let why = find::one(&which).await.unwrap_err();
    assert!(why.0.contains("is stale: process"), "{why}");
}

#[tokio::test]
async fn a_name_that_fits_two_processes_is_refused() {
    let _families = [Family::start("twin-48127"), Family::start("twin-48127")];
    let why = find::one(&command("twin-48127")).await.unwrap_err();
    assert!(why.0.contains("fits 2 processes"), "{why}");
    let why = find::one(&command("nobody-at-all-48127"))
        .await
        .unwrap_err();
    assert!(why.0.starts_with("no process"), "{why}");
}
