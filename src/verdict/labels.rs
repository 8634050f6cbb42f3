//! Names of series in their parts, and what tells several of them apart.
//!
//! In: names as a session has them: `shop memory{instance="a:1",job="shop"}`. Out: labels, and short names. The
//! invariant: any text is a name; what is no list of labels belongs to the metric.

use std::collections::BTreeMap;

/// The label that holds a metric's name where that needs quotes.
const NAME: &str = "__name__";
/// What stands for a label that a series does not have.
const NONE: &str = "–";

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// A name as its metric and its labels.
pub fn split(name: &str) -> (String, Labels) {
    let parsed = name
        .find('{')
        .and_then(|at| Some((&name[..at], labels(&name[at..])?)));
    match parsed {
        Some(("", mut labels)) => (labels.remove(NAME).unwrap_or_default(), labels),
        Some((metric, labels)) => (metric.to_owned(), labels),
        None => (name.to_owned(), Labels::new()),
    }
}

/// What `{instance="a:1",job="shop"}` says; `None` when a text is no such list.
pub fn labels(text: &str) -> Option<Labels> {
    let mut rest = text.strip_prefix('{')?;
    let mut labels = Labels::new();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return after.is_empty().then_some(labels);
        }
        let (name, after) = if rest.starts_with('"') {
            quoted(rest)?
        } else {
            let end = rest.find(['=', ',', '}'])?;
            (rest[..end].to_owned(), &rest[end..])
        };
        rest = if let Some(value) = after.strip_prefix('=') {
            let (value, after) = quoted(value)?;
            labels.insert(name, value);
            after
        } else {
            labels.insert(NAME.to_owned(), name);
            after
        };
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.starts_with('}') => {}
            None => return None,
        }
    }
}

/// A text in quotes at the beginning of another, and what comes after it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in inside.char_indices() {
        match (escaped, c) {
            (true, 'n') => value.push('\n'),
            (false, '"') => return Some((value, &inside[at + 1..])),
            (false, '\\') => {}
            (true | false, c) => value.push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

/// A short name for each of several series: the values of the labels that are not the same in all.
pub fn apart(series: &[Labels]) -> Vec<String> {
    let mut keys: Vec<&str> = series
        .iter()
        .flat_map(|labels| labels.keys().map(String::as_str))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|&key| {
        let first = series.first().and_then(|labels| labels.get(key));
        series.iter().any(|labels| labels.get(key) != first)
    });
    let short = |labels: &Labels| {
        let values = keys.iter().map(|&key| {
            let value = labels.get(key).map_or(NONE, String::as_str);
            if value.is_empty() { NONE } else { value }
        });
        values.collect::<Vec<_>>().join(" ")
    };
    series.iter().map(short).collect()
}

/// Labels on a line: `instance=a:1 job=shop`.
pub fn in_words(labels: &str) -> String {
    match self::labels(labels) {
        Some(labels) => {
            let pairs = labels.iter().map(|(name, value)| format!("{name}={value}"));
            pairs.collect::<Vec<_>>().join(" ")
        }
        None => labels.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_apart_as_prometheus_wrote_it() {
        let (metric, labels) = split(r#"up{instance="a:1",job="say \"hi\", {you}\\\n"}"#);
        assert_eq!(metric, "up");
        assert_eq!(labels["instance"], "a:1");
        assert_eq!(labels["job"], "say \"hi\", {you}\\\n");
        let (metric, labels) = split(r#"{"a.b","c d"="1"}"#);
        assert_eq!((metric.as_str(), labels["c d"].as_str()), ("a.b", "1"));
        assert_eq!(split("up"), ("up".to_owned(), Labels::new()));
        assert_eq!(split("up{}"), ("up".to_owned(), Labels::new()));
    }

    #[test]
    fn any_text_is_a_name() {
        for text in [
            "",
            "{",
            "a{",
            "a{b",
            "a{b=",
            "a{b=\"",
            "a{b=\"c\"",
            "a{b=\"c\"}d",
            "a{b=\"c\"d=\"e\"}",
        ] {
            assert_eq!(split(text), (text.to_owned(), Labels::new()), "{text}");
        }
        split("{,}");
        split("{=}");
    }

    #[test]
    fn only_what_differs_tells_series_apart() {
        let short = |names: &[&str]| {
            let labels: Vec<_> = names.iter().map(|name| split(name).1).collect();
            apart(&labels)
        };
        assert_eq!(
            short(&[
                r#"m{instance="a",job="shop"}"#,
                r#"m{instance="b",job="shop"}"#
            ]),
            ["a", "b"]
        );
        assert_eq!(
            short(&[r#"m{cpu="0",mode="user"}"#, r#"m{cpu="1"}"#]),
            ["0 user", "1 –"]
        );
        assert_eq!(short(&[r#"m{a="1"}"#]), [""]);
        assert_eq!(in_words(r#"{a="1",b="x y"}"#), "a=1 b=x y");
        assert_eq!(in_words("odd"), "odd");
    }
}
