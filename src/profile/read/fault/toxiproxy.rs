//! `toxiproxy = { api, proxy, listen, upstream }`: a proxy of a Toxiproxy server.

use super::super::check;
use super::super::table::{Node, Table};
use super::proxy;
use crate::profile::model::{Down, Ends, FaultDriver, Toxic, ToxicKind};
use crate::profile::secret::Text;

pub(super) fn read(node: &Node<'_, '_>, toxics: Vec<Toxic>) -> FaultDriver {
    let mut driver = (Text::default(), String::new(), None);
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
        driver.2 = read_ends(&mut table);
        table.finish();
    }
    for why in toxics.iter().filter_map(foreign) {
        node.cx.wrong(node.key_place.clone(), why);
    }
    FaultDriver::Toxiproxy {
        api: driver.0,
        proxy: driver.1,
        ends: driver.2,
        toxics,
    }
}

/// `listen` and `upstream`: both, or neither.
fn read_ends(table: &mut Table<'_, '_>) -> Option<Ends> {
    let (listen, upstream) = match (table.take("listen"), table.take("upstream")) {
        (Some(listen), Some(upstream)) => (listen, upstream),
        (Some(node), None) => return alone(&node, "upstream"),
        (None, Some(node)) => return alone(&node, "listen"),
        (None, None) => return None,
    };
    let from = proxy::read_listen(&listen, "the Toxiproxy's machine");
    let to = proxy::read_upstream(&upstream);
    let ((address, listen), to) = (from?, to?);
    proxy::not_to_itself(&upstream, address, &to);
    Some(Ends {
        listen,
        upstream: to,
    })
}

fn alone(node: &Node<'_, '_>, other: &str) -> Option<Ends> {
    let why = format!(
        "`{}` without `{other}`: a proxy that is to be created needs both",
        node.key
    );
    node.cx.wrong(node.key_place.clone(), why);
    None
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

    /// A profile with one fault of a Toxiproxy: its driver, or what is wrong with it.
    fn loaded(toxic: &str) -> Result<FaultDriver, String> {
        let text = format!(
            "[window]\nduration = \"1m\"\n\
             [[scenario]]\nname = \"a\"\ntarget = \"http://127.0.0.1:1\"\nrate = \"1/s\"\nget = \"/\"\n\
             [[fault]]\nname = \"f\"\ntoxiproxy = {{ api = \"http://127.0.0.1:8474\", proxy = \"db\" }}\n\
             toxics = [{toxic}]\n"
        );
        let options = crate::profile::Options::default();
        let mut profile = crate::profile::parse(&text, std::path::Path::new("."), &options)
            .map_err(|error| error.to_string())?;
        Ok(profile.faults.remove(0).driver)
    }

    #[test]
    fn a_toxiproxy_can_be_down() {
        let Ok(FaultDriver::Toxiproxy { toxics, .. }) = loaded("{ down = \"refuse\" }") else {
            panic!("{:?}", loaded("{ down = \"refuse\" }"));
        };
        assert_eq!(toxics[0].kind, ToxicKind::Down(Down::Refuse));
        for (toxic, why) in [
            ("{ down = \"hang\" }", "Toxiproxy has `refuse` only"),
            ("{ status = 503 }", "Toxiproxy knows no HTTP"),
            ("{ delay = \"1s\" }", "Toxiproxy knows no HTTP"),
        ] {
            let said = loaded(toxic).unwrap_err();
            assert!(said.contains(why), "{toxic}: {said}");
        }
    }

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
