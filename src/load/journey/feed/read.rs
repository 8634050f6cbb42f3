//! Reading data files: CSV with a header, JSON lines.
//!
//! In: a path. Out: a table with at least one row, or everything that is wrong with the file, up to
//! [`MOST_ERRORS`], each with file and line. The invariant: every row of a table is whole.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::{CellKind, Table};
use crate::profile::model::DataFormat;

/// Complaints after which reading stops.
pub(super) const MOST_ERRORS: usize = 20;
/// Largest file, bytes.
const LARGEST: u64 = 1 << 30;
/// Most columns.
const WIDEST: usize = 1000;
/// Most cells: rows times columns.
const MOST_CELLS: usize = 1 << 28;

/// Reads a file into a table.
pub(super) fn file(path: &Path, format: DataFormat) -> Result<Table, Vec<String>> {
    let shown = path.display();
    let text = text(path).map_err(|error| vec![format!("{shown}{error}")])?;
    let table = match format {
        DataFormat::Csv => csv(&text),
        DataFormat::JsonLines => json_lines(&text),
    };
    let at = |errors: Vec<Complaint>| {
        errors
            .iter()
            .map(|(line, what)| format!("{shown}:{line}: {what}"))
            .collect::<Vec<_>>()
    };
    let table = table.map_err(at)?;
    if table.rows() == 0 {
        return Err(vec![format!("{shown}: has no rows")]);
    }
    Ok(table)
}

/// A line number and what is wrong there.
type Complaint = (u64, String);

fn text(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!(": cannot be read: {error}");
    let file = File::open(path).map_err(cannot)?;
    let meta = file.metadata().map_err(cannot)?;
    if meta.is_dir() {
        return Err(": is a directory, not a file".into());
    }
    let mut bytes = Vec::with_capacity(meta.len().min(LARGEST) as usize);
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() as u64 > LARGEST {
        return Err(": is larger than 1 GiB, the most that a data file may have".into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good]
            .split(|&byte| byte == b'\n')
            .count();
        format!(":{line}: is not UTF-8 text")
    })
}

fn csv(text: &str) -> Result<Table, Vec<Complaint>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let header = reader
        .headers()
        .cloned()
        .map_err(|error| vec![(1, error.to_string())])?;
    let mut errors = header_errors(&header);
    let mut table = Table {
        columns: header.iter().map(|name| name.trim().into()).collect(),
        ..Table::default()
    };
    let mut record = csv::StringRecord::new();
    while errors.len() < MOST_ERRORS {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                errors.push((line, error.to_string()));
                continue;
            }
        }
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != header.len() {
            errors.push((
                line,
                format!(
                    "has {} fields where the header has {}",
                    record.len(),
                    header.len()
                ),
            ));
            continue;
        }
        if table.ends.len() + record.len() > MOST_CELLS {
            errors.push((line, format!("the file has more than {MOST_CELLS} cells")));
            break;
        }
        for field in &record {
            table.text.push_str(field);
            table.ends.push(table.text.len() as u32);
        }
    }
    if errors.is_empty() {
        Ok(table)
    } else {
        Err(errors)
    }
}

fn header_errors(header: &csv::StringRecord) -> Vec<Complaint> {
    let (mut errors, mut seen) = (Vec::new(), HashSet::new());
    if header.is_empty() {
        errors.push((1, "is empty; the first line must name the columns".into()));
    }
    if header.len() > WIDEST {
        errors.push((
            1,
            format!("has {} columns; {WIDEST} is the most", header.len()),
        ));
    }
    for (i, name) in header.iter().map(str::trim).enumerate().take(WIDEST) {
        if name.is_empty() {
            errors.push((1, format!("column {} has no name", i + 1)));
        } else if !seen.insert(name) {
            errors.push((1, format!("there are two columns `{name}`")));
        }
    }
    errors.truncate(MOST_ERRORS);
    errors
}

fn json_lines(text: &str) -> Result<Table, Vec<Complaint>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut errors, mut table) = (Vec::new(), Table::default());
    let lines = || {
        (1u64..)
            .zip(text.lines())
            .filter(|(_, line)| !line.trim().is_empty())
    };
    // Twice over the lines, so that the columns are known before the first row is stored.
    let mut seen = HashSet::new();
    for (line, object) in lines() {
        match serde_json::from_str::<Value>(object) {
            Ok(Value::Object(members)) => {
                for name in members.keys() {
                    if !seen.contains(name.as_str()) && table.columns.len() <= WIDEST {
                        seen.insert(name.clone());
                        table.columns.push(name.as_str().into());
                    }
                }
            }
            Ok(_) => errors.push((line, "is not a JSON object".into())),
            Err(error) => errors.push((line, format!("is not JSON: {error}"))),
        }
        if errors.len() == MOST_ERRORS {
            break;
        }
    }
    if table.columns.len() > WIDEST {
        errors.push((
            1,
            format!("the objects have more than {WIDEST} different members"),
        ));
    }
    let rows = lines().count();
    if rows.saturating_mul(table.columns.len()) > MOST_CELLS {
        errors.push((1, format!("the file has more than {MOST_CELLS} cells")));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    for (_, object) in lines() {
        if let Ok(members) = serde_json::from_str::<Map<String, Value>>(object) {
            store(&mut table, &members);
        }
    }
    Ok(table)
}

fn store(table: &mut Table, members: &Map<String, Value>) {
    for column in &table.columns {
        let kind = match members.get(column.as_ref()) {
            None => CellKind::Missing,
            Some(Value::String(text)) => {
                table.text.push_str(text);
                CellKind::Text
            }
            Some(json) => {
                table.text.push_str(&json.to_string());
                CellKind::Json
            }
        };
        table.ends.push(table.text.len() as u32);
        table.kinds.push(kind);
    }
}
