use std::collections::HashSet;
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::random;
use super::*;
use crate::profile::model::DataFormat;

fn write(bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("rows");
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn csv(bytes: impl AsRef<[u8]>) -> Result<Table, Vec<String>> {
    read::file(&write(bytes).1, DataFormat::Csv)
}

fn csv_in(dir_and_path: &(TempDir, PathBuf), format: DataFormat) -> Result<Table, Vec<String>> {
    read::file(&dir_and_path.1, format)
}

fn errors(bytes: impl AsRef<[u8]>, format: DataFormat) -> Vec<String> {
    let file = write(bytes);
    csv_in(&file, format).unwrap_err()
}

fn feed(bytes: &str, pick: Pick) -> Arc<Feed> {
    let file = write(bytes);
    let table = csv_in(&file, DataFormat::Csv).unwrap();
    Arc::new(Feed::new("user".into(), pick, table))
}

fn id(row: Row) -> String {
    Arc::new(row)
        .get_value(&Value::from("id"))
        .unwrap()
        .to_string()
}

#[test]
fn csv_rows_are_seen_by_column() {
    let file = write("\u{feff}id,name\n1,\"Ann, \"\"A\"\"\"\n2,Bö\n");
    let table = csv_in(&file, DataFormat::Csv).unwrap();
    assert_eq!(table.rows(), 2);
    assert_eq!(table.cell(0, 0).unwrap().to_string(), "1");
    assert_eq!(table.cell(0, 1).unwrap().to_string(), "Ann, \"A\"");
    assert_eq!(table.cell(1, 1).unwrap().to_string(), "Bö");
}

#[test]
fn json_lines_keep_the_types_of_their_values() {
    let file = write("{\"id\": 1, \"tags\": [\"a\"]}\n\n{\"id\": \"x\"}\n");
    let table = csv_in(&file, DataFormat::JsonLines).unwrap();
    assert_eq!(table.rows(), 2);
    assert!(table.cell(0, 0).unwrap().is_number());
    assert_eq!(
        table
            .cell(0, 1)
            .unwrap()
            .get_item_by_index(0)
            .unwrap()
            .to_string(),
        "a"
    );
    assert_eq!(table.cell(1, 0).unwrap().as_str(), Some("x"));
    assert!(table.cell(1, 1).is_none());
}

#[test]
fn every_ragged_line_is_told_with_its_number() {
    let told = errors("a,b\n1,2\n3\n4,5\n6,7,8\n", DataFormat::Csv);
    assert_eq!(told.len(), 2);
    assert!(
        told[0].ends_with(":3: has 1 fields where the header has 2"),
        "{told:?}"
    );
    assert!(
        told[1].ends_with(":5: has 3 fields where the header has 2"),
        "{told:?}"
    );
}

#[test]
fn a_thousand_mistakes_are_told_as_twenty() {
    assert_eq!(
        errors(format!("a,b\n{}", "1\n".repeat(1000)), DataFormat::Csv).len(),
        20
    );
    assert_eq!(errors("[]\n".repeat(1000), DataFormat::JsonLines).len(), 20);
}

#[test]
fn bad_files_are_told_with_file_and_line() {
    for (bytes, format, part) in [
        (&b""[..], DataFormat::Csv, "is empty"),
        (b"a,b\n", DataFormat::Csv, "has no rows"),
        (
            b"a,a\n1,2\n",
            DataFormat::Csv,
            ":1: there are two columns `a`",
        ),
        (b"a,\n1,2\n", DataFormat::Csv, ":1: column 2 has no name"),
        (b"a\nx\n\xff\n", DataFormat::Csv, ":3: is not UTF-8"),
        (b"", DataFormat::JsonLines, "has no rows"),
        (
            b"{}\n3\n",
            DataFormat::JsonLines,
            ":2: is not a JSON object",
        ),
        (b"{\n", DataFormat::JsonLines, ":1: is not JSON"),
    ] {
        let told = errors(bytes, format);
        assert!(told[0].contains(part), "{told:?}");
    }
    let dir = TempDir::new().unwrap();
    let told = read::file(dir.path(), DataFormat::Csv).unwrap_err();
    assert!(told[0].contains("is a directory"), "{told:?}");
    let told = read::file(&dir.path().join("none"), DataFormat::Csv).unwrap_err();
    assert!(told[0].contains("cannot be read"), "{told:?}");
    assert!(csv("a\n1\n").is_ok());
}

#[test]
fn cycle_goes_through_all_rows_and_begins_again() {
    let feed = feed("id\n1\n2\n3\n", Pick::Cycle);
    let mut rng = random::rng(1);
    let ids: Vec<_> = (0..7).map(|_| id(feed.take(&mut rng).unwrap())).collect();
    assert_eq!(ids, ["1", "2", "3", "1", "2", "3", "1"]);
}

#[test]
fn random_rows_are_decided_by_the_seed() {
    let feed = feed("id\n1\n2\n3\n4\n5\n", Pick::Random);
    let draw = |seed| -> Vec<_> {
        let mut rng = random::rng(seed);
        (0..20).map(|_| id(feed.take(&mut rng).unwrap())).collect()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn a_unique_row_comes_back_when_it_is_dropped() {
    let feed = feed("id\n1\n2\n", Pick::Unique);
    let mut rng = random::rng(1);
    let (first, second) = (feed.take(&mut rng).unwrap(), feed.take(&mut rng));
    assert!(second.is_some() && feed.take(&mut rng).is_none());
    drop(first);
    assert_eq!(id(feed.take(&mut rng).unwrap()), "1");
}

#[test]
fn a_unique_row_never_belongs_to_two_threads_at_once() {
    let rows = (0..8).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
    let feed = feed(&format!("id\n{rows}"), Pick::Unique);
    let held: Mutex<HashSet<u32>> = Mutex::default();
    std::thread::scope(|threads| {
        for seed in 0..4 {
            let (feed, held) = (&feed, &held);
            threads.spawn(move || {
                let mut rng = random::rng(seed);
                for _ in 0..2000 {
                    let Some(row) = feed.take(&mut rng) else {
                        continue;
                    };
                    assert!(
                        held.lock().unwrap().insert(row.row),
                        "row {} was held twice",
                        row.row
                    );
                    held.lock().unwrap().remove(&row.row);
                }
            });
        }
    });
    assert_eq!(feed.free.lock().unwrap().len(), 8);
}
