//! One fault between its order and its way in, with a watchdog that does as it is told.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tempfile::TempDir;

use super::task::Task;
use super::*;
use crate::fault::driver::Doing;
use crate::fault::journal::Entry;
use crate::fault::undo::Undo;
use crate::profile::Secrets;

/// A fault that only counts how often it was done; its way back fails as often as is said.
struct Counted {
    undo: Undo,
    done: Rc<Cell<u32>>,
    fails: bool,
}

impl Driver for Counted {
    fn prepare(&self) -> Doing<'_, Undo> {
        Box::pin(async { Ok(self.undo.clone()) })
    }

    fn inject<'a>(&'a self, _: &'a Undo) -> Doing<'a, Done> {
        self.done.set(self.done.get() + 1);
        Box::pin(async { Ok(Done::default()) })
    }

    fn revert<'a>(&'a self, _: &'a Undo) -> Doing<'a, Done> {
        Box::pin(async {
            if self.fails {
                return Err(FaultError("it is gone already".into()));
            }
            Ok(Done::default())
        })
    }
}

/// A task with a fault of its own, and both ends of its lines.
struct Stage {
    dir: TempDir,
    done: Rc<Cell<u32>>,
    orders: UnboundedSender<Order>,
    seen: UnboundedReceiver<Seen>,
}

impl Stage {
    fn begin(fails: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("watchdog");
        let script = "#!/bin/sh\necho $$ >\"$3.pid\"\necho 'on guard' >&2\nexec cat >/dev/null\n";
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let (tell, seen) = unbounded_channel();
        let (orders, ordered) = unbounded_channel();
        let done = Rc::new(Cell::new(0));
        let way =
            r#"{"way":"toxiproxy","at":{"api":"http://127.0.0.1:1","proxy":"p"},"enabled":true}"#;
        let guard = Guard {
            sessions: dir.path().to_owned(),
            session: "a".into(),
            log: dir.path().join("log"),
            program,
        };
        let outstanding = Outstanding::new(guard, Secrets::default(), Post::default());
        let task = Task {
            fault: 0,
            name: "counted".into(),
            driver: Box::new(Counted {
                undo: serde_json::from_str(way).unwrap(),
                done: Rc::clone(&done),
                fails,
            }),
            outstanding: Arc::new(Mutex::new(outstanding)),
            tell,
        };
        tokio::task::spawn_local(task.run(ordered));
        Self {
            dir,
            done,
            orders,
            seen,
        }
    }

    async fn next(&mut self) -> What {
        self.seen.recv().await.unwrap().what
    }

    /// Orders it in. Its way back is in the journal, its watchdog on guard, and only the session is waited for.
    async fn until_the_session(&mut self) -> oneshot::Sender<bool> {
        self.orders.send(Order::Inject).unwrap();
        match self.next().await {
            What::Undo(_, Some(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn entry(&self) -> PathBuf {
        self.dir.path().join("outstanding/a/0.json")
    }

    /// Strikes the entry out, as a watchdog does.
    fn strike(&self) {
        let entry: Entry = serde_json::from_slice(&fs::read(self.entry()).unwrap()).unwrap();
        let word = format!(r#"{{"fault":"{}","wall":1,"said":"done"}}"#, entry.fault);
        fs::write(self.entry().with_extension("done"), word).unwrap();
        fs::remove_file(self.entry()).unwrap();
    }
}

fn staged<F: Future<Output = ()>>(fails: bool, test: impl Fn(Stage) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let all = async { test(Stage::begin(fails)).await };
    LocalSet::new().block_on(&runtime, all);
}

fn kill_watchdog(dir: &Path) {
    let pid = fs::read_to_string(dir.join("log.pid")).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    // What has ended, and holds no pipe any more, is a zombie until it is reaped.
    let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let end = Instant::now() + Duration::from_secs(10);
    while fs::read_to_string(&stat).is_ok_and(|it| !it.contains(") Z ")) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_is_ordered_back_before_it_is_begun_is_never_begun() {
    // As often as tells an accident from a rule.
    for _ in 0..10 {
        staged(false, async |mut stage| {
            let answer = stage.until_the_session().await;
            stage.orders.send(Order::Revert).unwrap();
            answer.send(true).unwrap();
            assert!(matches!(stage.next().await, What::CalledBack));
            assert_eq!(stage.done.get(), 0);
            assert!(!stage.entry().exists());
        });
    }
}

#[test]
fn nothing_goes_in_whose_way_back_was_taken_meanwhile() {
    staged(false, async |mut stage| {
        let answer = stage.until_the_session().await;
        stage.strike();
        answer.send(true).unwrap();
        let What::NotDone(why) = stage.next().await else {
            panic!("it went in");
        };
        assert!(why.0.contains("taken it for left behind"), "{why}");
        assert_eq!(stage.done.get(), 0);
    });
}

#[test]
fn nothing_goes_in_without_a_watchdog_that_listens() {
    staged(false, async |mut stage| {
        let answer = stage.until_the_session().await;
        kill_watchdog(stage.dir.path());
        answer.send(true).unwrap();
        let What::NotDone(why) = stage.next().await else {
            panic!("it went in");
        };
        assert!(why.0.contains("the watchdog is gone"), "{why}");
        assert_eq!(stage.done.get(), 0);
        assert!(!stage.entry().exists());
    });
}

#[test]
fn what_its_watchdog_brought_back_is_back_whatever_a_second_way_back_says() {
    staged(true, async |mut stage| {
        let answer = stage.until_the_session().await;
        answer.send(true).unwrap();
        assert!(matches!(stage.next().await, What::Active(_)));
        stage.strike();
        stage.orders.send(Order::Revert).unwrap();
        let What::Reverted(done) = stage.next().await else {
            panic!("it is said to be in place");
        };
        assert_eq!(done.said, "its watchdog brought it back: done");
    });
}
