//! `toxiproxy = { api, proxy }`: a proxy of a Toxiproxy server.

use super::super::check;
use super::super::table::Node;
use crate::profile::model::{Down, FaultDriver, Toxic, ToxicKind};
use crate::profile::secret::Text;

pub(super) fn read(node: &Node<'_, '_>, toxics: Vec<Toxic>) -> FaultDriver {
    let mut driver = (Text::default(), String::new());
    if let Some(mut table) = node.table("`toxiproxy`") {
        if let Some(node) = table.need("api")
            && let Some(text) = node.text()
            && let Some(url) = check::url(&node, &text, &["http", "https"])
        {
            check::allowed(&node, url.host_str().unwrap_or_default(), &text);
            driver.0 = text;
        }
        if let Some(name) = table.need("proxy").and_then(|node| node.string()) {
            driver.1 = name;
        }
        table.finish();
    }
    for why in toxics.iter().filter_map(foreign) {
        node.cx.wrong(node.key_place.clone(), why);
    }
    FaultDriver::Toxiproxy {
        api: driver.0,
        proxy: driver.1,
        toxics,
    }
}

/// Why Toxiproxy cannot do it.
fn foreign(toxic: &Toxic) -> Option<&'static str> {
    match &toxic.kind {
        ToxicKind::Latency { .. }
        | ToxicKind::SlowClose { .. }
        | ToxicKind::Timeout { .. }
        | ToxicKind::ResetPeer { .. }
        | ToxicKind::Slicer { .. }
        | ToxicKind::LimitData { .. } => None,
        ToxicKind::Bandwidth { rate } => (*rate < 1000).then_some(
            "Toxiproxy counts a bandwidth in whole KB/s: less than `1KB/s` needs the built-in `proxy`",
        ),
        ToxicKind::Down(Down::Refuse) => (toxic.toxicity.0 < 1.0)
            .then_some("Toxiproxy is down for all connections or for none: `down` has no toxicity"),
        ToxicKind::Down(Down::Reset | Down::Hang | Down::Drain) => Some(
            "of `down`, Toxiproxy has `refuse` only: the others need the built-in `proxy`",
        ),
        ToxicKind::HttpStatus { .. } | ToxicKind::HttpDelay { .. } => {
            Some("Toxiproxy knows no HTTP: this toxic needs the built-in `proxy`")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::units::Ratio;

    #[test]
    fn what_toxiproxy_has_not_is_a_mistake_of_the_profile() {
        let why = |kind, toxicity| {
            foreign(&Toxic {
                kind,
                toxicity: Ratio(toxicity),
                upstream: false,
            })
        };
        assert_eq!(why(ToxicKind::LimitData { bytes: 1 }, 0.5), None);
        assert_eq!(why(ToxicKind::Down(Down::Refuse), 1.0), None);
        assert!(why(ToxicKind::Down(Down::Refuse), 0.5).is_some());
        assert!(why(ToxicKind::Down(Down::Hang), 1.0).is_some());
        assert!(why(ToxicKind::Bandwidth { rate: 999 }, 1.0).is_some());
    }
}
