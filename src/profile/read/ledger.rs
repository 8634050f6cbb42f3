//! `[[ledger]]`: writes that are counted and read back.

use super::check;
use super::journey;
use super::names::Names;
use super::table::{Node, Table};
use crate::profile::model::{Body, Ledger, Step};
use crate::profile::units::Rate;

/// Requests a second, unless said otherwise: fast enough for most windows, and little beside what a test sends.
const RATE: Rate = Rate(500.0);

pub(super) fn read_all(top: &mut Table<'_, '_>) -> (Vec<Ledger>, Names) {
    let mut names = Names::new("ledger");
    let mut ledgers = Vec::new();
    if let Some(node) = top.take("ledger") {
        for mut table in node.tables("a ledger") {
            let name = names.read(&mut table);
            let read = table.need("read").map(|node| read(&node));
            let rate: Option<Rate> = table.take("rate").and_then(|node| {
                let rate: Rate = node.parse()?;
                if rate.0 < 1.0 {
                    node.wrong("`rate` must be at least 1/s");
                }
                Some(rate)
            });
            table.finish();
            let (read, count) = read.unwrap_or_else(|| (journey::empty(), None));
            ledgers.push(Ledger {
                name,
                read,
                count,
                rate: rate.unwrap_or(RATE),
            });
        }
    }
    (ledgers, names)
}

/// The request that reads one write back, and where its answer tells how often it is there.
fn read(node: &Node<'_, '_>) -> (Step, Option<String>) {
    let Some(mut table) = node.table("`read`") else {
        return (journey::empty(), None);
    };
    let request = journey::request(&mut table);
    if request.is_none() {
        table.missing("get");
    }
    let mut step = request.unwrap_or_else(journey::empty);
    "read".clone_into(&mut step.name);
    step.headers = check::headers(table.take("headers"));
    step.timeout = table.positive("timeout");
    let count = table.take("count").and_then(|node| count(&node));
    table.finish();
    if !names_it(&step) {
        node.wrong("it does not say which write it asks for: `{{ ledger }}` stands for its number");
    }
    if step.expect.within.is_some() {
        node.wrong("`within` says nothing of whether a write is there");
    }
    if !step.save.is_empty() {
        node.wrong("there is no later step that could use what this saves");
    }
    (step, count)
}

/// `json:$.count`.
fn count(node: &Node<'_, '_>) -> Option<String> {
    let text = node.string()?;
    let Some(path) = text.strip_prefix("json:") else {
        node.wrong(format!(
            "`{text}` does not say where the count is; write it like `json:$.count`"
        ));
        return None;
    };
    check::json_path(node.cx, node.place(), path);
    Some(path.to_owned())
}

/// Whether a request holds the number of a write.
pub(super) fn names_it(step: &Step) -> bool {
    let holds = |text: &str| {
        check::expressions(text)
            .into_iter()
            .any(|place| text[place].contains("ledger"))
    };
    let body = match &step.body {
        Body::None | Body::File(_) => false,
        Body::Text(text) | Body::Json(text) => holds(text.shown()),
        Body::Form(pairs) => pairs.iter().any(|(_, value)| holds(value.shown())),
    };
    body || holds(step.url.shown()) || step.headers.iter().any(|(_, value)| holds(value.shown()))
}
