use super::*;
use crate::profile::secret::Text;
use crate::profile::{Options, load};

fn target(lines: &str, dir: &Path) -> Target {
    let text = format!(
        "[window]\nname = \"w\"\nduration = \"1s\"\n[[scenario]]\nname = \"s\"\nrate = \"1/s\"\nget = \"/\"\n\
         target = \"http://127.0.0.1:1\"\n[[target]]\nname = \"nodes\"\n{lines}\n"
    );
    let path = dir.join("profile.toml");
    std::fs::write(&path, text).unwrap();
    let profile = load(&path.display().to_string(), &Options::default()).unwrap();
    profile.targets[0].clone()
}

fn urls(discovery: &Discovery) -> Vec<String> {
    let places = discovery.places().into_iter();
    places
        .map(|place| format!("{} {} {:?}", place.url, place.instance, place.labels))
        .collect()
}

#[test]
fn one_entry_stands_for_many_hosts() {
    let dir = tempfile::tempdir().unwrap();
    let lines = r#"static = ["db1:9100", "[::1]:9100", "db1:9100"]
        labels = { site = "a" }"#;
    let discovery = Discovery::new(&target(lines, dir.path()));
    assert!(discovery.is_fixed());
    assert_eq!(
        urls(&discovery),
        [
            r#"http://db1:9100/metrics db1:9100 {"site": "a"}"#,
            r#"http://[::1]:9100/metrics [::1]:9100 {"site": "a"}"#,
        ]
    );
}

#[test]
fn a_url_without_a_port_has_the_one_of_its_scheme() {
    assert_eq!(
        instance_of("https://a.example.com/metrics"),
        "a.example.com:443"
    );
    assert_eq!(instance_of("http://[::1]/x"), "[::1]:80");
    let dir = tempfile::tempdir().unwrap();
    let mut target = target(r#"url = "http://127.0.0.1:9100/metrics""#, dir.path());
    target.source = TargetSource::Scrape(Text::plain("http://a/metrics".to_owned()));
    assert_eq!(Discovery::new(&target).places()[0].instance, "a:80");
}

#[test]
fn lists_in_files_come_go_and_change_as_the_files_do() {
    let dir = tempfile::tempdir().unwrap();
    let lists = dir.path().join("sd");
    std::fs::create_dir(&lists).unwrap();
    let lines = "file_sd = [\"sd/*.json\", \"more.yml\"]\npath = \"/m\"\nlabels = { site = \"a\" }";
    let mut discovery = Discovery::new(&target(lines, dir.path()));
    assert!(!discovery.is_fixed());
    // The file without a star in its name is not there yet, and said once.
    assert_eq!(discovery.refresh().len(), 1);
    assert_eq!(discovery.refresh().len(), 0);
    assert!(discovery.places().is_empty());

    let json = r#"[{"targets": ["a:1", "b:2"], "labels": {"site": "b", "__scheme__": "https", "__meta_x": "y"}}]"#;
    std::fs::write(lists.join("one.json"), json).unwrap();
    let yaml =
        "- targets:\n  - c:3\n  labels:\n    instance: the third\n    __metrics_path__: other\n";
    std::fs::write(dir.path().join("more.yml"), yaml).unwrap();
    assert_eq!(discovery.refresh(), Vec::<String>::new());
    assert_eq!(
        urls(&discovery),
        [
            r#"http://c:3/other the third {"site": "a"}"#,
            r#"https://a:1/m a:1 {"site": "b"}"#,
            r#"https://b:2/m b:2 {"site": "b"}"#,
        ]
    );

    std::fs::write(lists.join("one.json"), "[{\"targets\": 7}]").unwrap();
    let said = discovery.refresh();
    assert!(said.len() == 1 && said[0].contains("one.json"), "{said:?}");
    assert_eq!(
        discovery.places().len(),
        3,
        "a broken file takes nothing away"
    );

    std::fs::remove_file(lists.join("one.json")).unwrap();
    assert_eq!(discovery.refresh(), Vec::<String>::new());
    assert_eq!(discovery.places().len(), 1);
}

#[test]
fn an_address_that_is_none_is_told_once_and_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("a.json");
    std::fs::write(&list, r#"[{"targets": ["a b:1", "c:2"]}]"#).unwrap();
    let mut discovery = Discovery::new(&target("file_sd = [\"a.json\"]", dir.path()));
    let said = discovery.refresh();
    assert!(said.len() == 1 && said[0].contains("a b:1"), "{said:?}");
    assert_eq!(discovery.refresh(), Vec::<String>::new());
    assert_eq!(discovery.places().len(), 1);
}
