//! What leaves an interface: one queue with a handle of ours in the place of the default one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{came_from, list};
use crate::fault::driver::{Done, FaultError};
use crate::fault::tool;
use crate::profile::units::{Ratio, format_bytes};

/// The handle of our queues: `PM` in ASCII, and nobody else's.
const HANDLE: &str = "504d:";
/// The handle of a queue that the kernel made by itself.
const DEFAULT: &str = "0:";
/// Packets that `netem` holds at most: a second of a fast line. Its own 1,000 would lose what is only to be late.
const LIMIT: &str = "100000";
/// Least that leaves at once under a limit of rate, bytes: less than one large segment would never leave.
const BURST: u64 = 64 << 10;

/// A queue on an interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    interface: String,
    delay: Option<Duration>,
    jitter: Option<Duration>,
    /// From 0 to 1.
    loss: Option<f64>,
    /// Bytes a second.
    rate: Option<u64>,
}

#[derive(Deserialize)]
struct Queue {
    kind: String,
    handle: String,
    #[serde(default)]
    root: bool,
}

#[derive(Deserialize)]
struct Link {
    flags: Vec<String>,
}

#[derive(Deserialize)]
struct Way {
    dev: Option<String>,
}

impl Shape {
    pub(super) fn new(
        interface: &str,
        [delay, jitter]: [Option<Duration>; 2],
        loss: Option<Ratio>,
        rate: Option<u64>,
    ) -> Self {
        Self {
            interface: interface.to_owned(),
            delay,
            jitter,
            loss: loss.map(|loss| loss.0),
            rate,
        }
    }

    pub(super) async fn prepare(&self) -> Result<(), FaultError> {
        tool::need("tc")?;
        tool::need("ip")?;
        let interface = &self.interface;
        let links: Vec<Link> = list("ip", &["-j", "link", "show", "dev", interface]).await?;
        if links
            .iter()
            .any(|link| link.flags.iter().any(|flag| flag == "LOOPBACK"))
        {
            return Err(FaultError(format!(
                "`{interface}` is the loopback of this machine, which is not touched: \
                 everything on it, stormdeck included, would be hit"
            )));
        }
        match self.root().await? {
            Some(queue) if queue.handle == HANDLE => Err(FaultError(format!(
                "`{interface}` has a queue of stormdeck already, of another fault or left behind by one: \
                 `stormdeck recover` clears what was left behind"
            ))),
            Some(queue) if queue.handle != DEFAULT => Err(FaultError(format!(
                "`{interface}` has a queue that somebody set up (`{} {}`), which is not replaced",
                queue.kind, queue.handle
            ))),
            Some(_) | None => self.leaves_the_person_in().await,
        }
    }

    /// Refuses to cut off whoever would have to look.
    async fn leaves_the_person_in(&self) -> Result<(), FaultError> {
        let all_lost = self.loss.is_some_and(|loss| loss >= 1.0);
        let Some(from) = came_from().filter(|_| all_lost) else {
            return Ok(());
        };
        let from = from.to_string();
        // Without a way to it there is nothing to cut.
        let ways: Vec<Way> = list("ip", &["-j", "route", "get", &from])
            .await
            .unwrap_or_default();
        if ways
            .iter()
            .any(|way| way.dev.as_deref() == Some(&self.interface))
        {
            let interface = &self.interface;
            return Err(FaultError(format!(
                "your SSH connection from {from} goes through `{interface}`: a partition would cut it off"
            )));
        }
        Ok(())
    }

    async fn root(&self) -> Result<Option<Queue>, FaultError> {
        let queues: Vec<Queue> =
            list("tc", &["-j", "qdisc", "show", "dev", &self.interface]).await?;
        Ok(queues.into_iter().find(|queue| queue.root))
    }

    pub(super) async fn add(&self) -> Result<Done, FaultError> {
        let words = self.words();
        if let Err(error) = tool::run("tc", &words).await {
            return Err(if error.0.contains("qdisc kind is unknown") {
                self.unknown_kind()
            } else {
                error
            });
        }
        let queue = self.root().await?;
        let is_ours = |queue: &Queue| queue.handle == HANDLE && queue.kind == self.kind();
        if !queue.as_ref().is_some_and(is_ours) {
            return Err(FaultError(format!(
                "`tc` said yes, but `{}` does not have the queue",
                self.interface
            )));
        }
        Ok(Done::seen(format!(
            "{} is under {}",
            self.interface,
            words[6..].join(" ")
        )))
    }

    pub(super) async fn remove(&self) -> Result<Done, FaultError> {
        let interface = &self.interface;
        let is_ours =
            |queue: &Option<Queue>| matches!(queue, Some(queue) if queue.handle == HANDLE);
        match self.root().await {
            // The queue went with the interface.
            Err(error) if error.0.contains("Cannot find device") => {
                return Ok(Done::seen(format!("`{interface}` is gone")));
            }
            Err(error) => return Err(error),
            Ok(queue) if !is_ours(&queue) => {
                return Ok(Done::seen(format!(
                    "`{interface}` has no queue of stormdeck"
                )));
            }
            Ok(_) => {}
        }
        // With the handle, which the kernel compares: no other is taken away, whatever happened since the look.
        tool::run(
            "tc",
            &["qdisc", "del", "dev", interface, "root", "handle", HANDLE],
        )
        .await?;
        if is_ours(&self.root().await?) {
            return Err(FaultError(format!("`{interface}` still has our queue")));
        }
        Ok(Done::seen(format!("`{interface}` has its default queue")))
    }

    /// A limit of rate alone needs no `netem`, which small kernels lack.
    fn kind(&self) -> &'static str {
        let only_rate = self.delay.is_none() && self.jitter.is_none() && self.loss.is_none();
        if only_rate { "tbf" } else { "netem" }
    }

    fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = [
            "qdisc",
            "add",
            "dev",
            &self.interface,
            "root",
            "handle",
            HANDLE,
        ]
        .map(str::to_owned)
        .to_vec();
        words.push(self.kind().to_owned());
        let mut add = |more: &[String]| words.extend_from_slice(more);
        let micros = |time: Duration| format!("{}us", time.as_micros());
        let rate = self
            .rate
            .map(|rate| ["rate".into(), format!("{}bit", rate.saturating_mul(8))]);
        if self.kind() == "tbf" {
            add(rate.as_ref().map_or(&[], |rate| &rate[..]));
            // 10 ms at once, 400 ms in line: what a small router holds.
            let burst = (self.rate.unwrap_or(0) / 100).max(BURST);
            add(&["burst".into(), burst.to_string()]);
            add(&["latency".into(), "400ms".into()]);
            return words;
        }
        add(&["limit".into(), LIMIT.into()]);
        if self.delay.is_some() || self.jitter.is_some() {
            add(&["delay".into(), micros(self.delay.unwrap_or_default())]);
            add(&self.jitter.map(micros).into_iter().collect::<Vec<_>>());
        }
        if let Some(loss) = self.loss {
            add(&["loss".into(), format!("{}%", loss * 100.0)]);
        }
        add(rate.as_ref().map_or(&[], |rate| &rate[..]));
        words
    }

    fn unknown_kind(&self) -> FaultError {
        let kind = self.kind();
        let instead = match (kind, self.loss, self.rate) {
            ("netem", Some(loss), _) if loss >= 1.0 => {
                "; `network = { blackhole = [\"10.0.0.5\"] }` cuts off hosts without it".to_owned()
            }
            ("netem", _, Some(rate)) => {
                format!(
                    "; `rate = \"{}/s\"` alone works without it",
                    format_bytes(rate)
                )
            }
            _ => String::new(),
        };
        FaultError(format!(
            "the kernel of this machine has no `{kind}`: \
             `modprobe sch_{kind}` loads it where it exists{instead}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(loss: Option<f64>, rate: Option<u64>, delay: [Option<u64>; 2]) -> String {
        let delay = delay.map(|time| time.map(Duration::from_millis));
        let shape = Shape::new("eth0", delay, loss.map(Ratio), rate);
        shape.words()[4..].join(" ")
    }

    #[test]
    fn what_tc_is_told() {
        let ours = "root handle 504d:";
        assert_eq!(
            shape(None, Some(1_000_000), [None; 2]),
            format!("{ours} tbf rate 8000000bit burst 65536 latency 400ms")
        );
        assert_eq!(
            shape(Some(0.01), None, [Some(100), Some(10)]),
            format!("{ours} netem limit 100000 delay 100000us 10000us loss 1%")
        );
        assert_eq!(
            shape(Some(1.0), None, [None; 2]),
            format!("{ours} netem limit 100000 loss 100%")
        );
        assert_eq!(
            shape(None, Some(125_000_000), [Some(1), None]),
            format!("{ours} netem limit 100000 delay 1000us rate 1000000000bit")
        );
    }

    #[test]
    fn a_fast_line_sends_ten_milliseconds_at_once() {
        assert!(shape(None, Some(1_250_000_000), [None; 2]).contains("burst 12500000 "));
    }
}
