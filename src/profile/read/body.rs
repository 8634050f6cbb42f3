//! What a step sends: `body`, `json`, `form` or `file`.

use toml::de::DeValue;

use super::check;
use super::table::{Node, Table};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::model::Body;
use crate::profile::secret::Text;

/// Reads the one body key of a step, if there is one.
pub(super) fn read(table: &mut Table<'_, '_>) -> Body {
    let mut bodies = Vec::new();
    for key in ["body", "json", "form", "file"] {
        if let Some(node) = table.take(key) {
            bodies.push(node);
        }
    }
    if let [first, second, ..] = &bodies[..] {
        second.cx.report(
            Diagnostic::new(
                format!(
                    "`{}` beside `{}`: a request has one body",
                    second.key, first.key
                ),
                second.key_place.clone(),
            )
            .label("leave one of them out"),
        );
    }
    let Some(node) = bodies.first() else {
        return Body::None;
    };
    match node.key {
        "json" => json(node).map_or(Body::None, Body::Json),
        "form" => Body::Form(form(node)),
        "file" => node.file().map_or(Body::None, Body::File),
        _ => match node.text() {
            Some(text) => {
                check::template(node, &text);
                Body::Text(text)
            }
            None => Body::None,
        },
    }
}

fn form(node: &Node<'_, '_>) -> Vec<(String, Text)> {
    let Some(table) = node.table("`form`") else {
        return Vec::new();
    };
    let mut pairs = Vec::new();
    for node in table.entries() {
        if let Some(text) = node.text() {
            check::template(&node, &text);
            pairs.push((node.key.to_owned(), text));
        }
    }
    pairs
}

/// The compact JSON of a value, as it is sent and as it may be shown.
///
/// Text outside of `{{ … }}` is escaped; what is inside is left as it stands, since it is an expression that is
/// replaced before anything is sent.
fn json(node: &Node<'_, '_>) -> Option<Text> {
    let mut out = Both::default();
    write(node, &mut out)?;
    Some(if out.secret {
        Text::with_secret(out.real, out.shown)
    } else {
        Text::plain(out.real)
    })
}

#[derive(Default)]
struct Both {
    real: String,
    shown: String,
    secret: bool,
}

impl Both {
    fn push(&mut self, text: &str) {
        self.real.push_str(text);
        self.shown.push_str(text);
    }
}

fn write(node: &Node<'_, '_>, out: &mut Both) -> Option<()> {
    match node.value() {
        DeValue::String(_) => {
            let text = node.text()?;
            check::template(node, &text);
            out.secret |= text.is_secret();
            write_string(text.reveal(), &mut out.real);
            write_string(text.shown(), &mut out.shown);
        }
        DeValue::Array(array) => {
            out.push("[");
            for (index, value) in array.iter().enumerate() {
                if index > 0 {
                    out.push(",");
                }
                write(&node.element(value), out)?;
            }
            out.push("]");
        }
        DeValue::Table(_) => {
            out.push("{");
            for (index, entry) in node.table("this table")?.entries().iter().enumerate() {
                if index > 0 {
                    out.push(",");
                }
                let mut key = String::new();
                write_string(entry.key, &mut key);
                out.push(&key);
                out.push(":");
                write(entry, out)?;
            }
            out.push("}");
        }
        _ => out.push(&node.json_scalar()?.to_string()),
    }
    Some(())
}

/// A JSON string in quotes; `{{ … }}` and `{% … %}` within it stay as they are.
fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for expression in check::expressions(text) {
        escape(&text[from..expression.start], out);
        from = expression.end;
        out.push_str(&text[expression]);
    }
    escape(&text[from..], out);
    out.push('"');
}

fn escape(text: &str, out: &mut String) {
    let quoted = serde_json::Value::from(text).to_string();
    out.push_str(&quoted[1..quoted.len() - 1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_expressions_are_not() {
        let mut out = String::new();
        write_string(r#"say "{{ pick("a", "b") }}" {"x"}"#, &mut out);
        assert_eq!(out, r#""say \"{{ pick("a", "b") }}\" {\"x\"}""#);
    }

    #[test]
    fn braces_in_quotes_do_not_close_an_expression() {
        let mut out = String::new();
        write_string(r#"{{ f("}}", '\'}}') }}""#, &mut out);
        assert_eq!(out, r#""{{ f("}}", '\'}}') }}\"""#);
    }
}
