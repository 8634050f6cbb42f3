//! What is wrong with an expression, by name and place: of unknown words before it is parsed, and of what the parser said.

use super::Reader;
use crate::profile::diagnostic::nearest;
use crate::scrape::promql::Refused;
use crate::scrape::promql::plan::Function;
use crate::scrape::promql::scan::{Placed, Token, ends_operand};

/// Words that may stand before a parenthesis without being a function.
const NOT_FUNCTIONS: [&str; 26] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "and",
    "or",
    "unless",
    "atan2",
    "offset",
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "quantile",
    "count_values",
    "start",
    "end",
];

impl Reader<'_> {
    /// Refuses by name what is a word of `PromQL`, but none that we know.
    pub(super) fn words(&self) -> Result<(), Refused> {
        for (number, placed) in self.tokens.iter().enumerate() {
            let Token::Word(word) = &placed.token else {
                continue;
            };
            let next = self.tokens.get(number + 1).map(|placed| &placed.token);
            let before = number
                .checked_sub(1)
                .map(|before| &self.tokens[before].token);
            let call = next == Some(&Token::Mark("(")) && before != Some(&Token::Mark("@"));
            let lower = word.to_ascii_lowercase();
            let keyword = NOT_FUNCTIONS[..NOT_FUNCTIONS.len() - 2].contains(&&*lower);
            if placed.in_braces {
                // `{a="b" or c="d"}` is of newer versions.
                let after_text = matches!(before, Some(Token::Text(_)));
                if lower == "or" && after_text {
                    let message = "`or` within a selector is not supported";
                    return Err(Refused::new(message, placed.span.clone()));
                }
            } else if matches!(
                &*lower,
                "limitk"
                    | "limit_ratio"
                    | "smoothed"
                    | "anchored"
                    | "step"
                    | "fill"
                    | "fill_left"
                    | "fill_right"
            ) {
                let message = format!("`{word}` is not supported");
                return Err(Refused::new(message, placed.span.clone()));
            } else if call && !keyword && Function::named(word).is_none() {
                let mut message = format!("the function `{word}` is not supported");
                let known = Function::ALL.iter().map(|(name, _)| *name);
                if let Some(near) = nearest(word, known.chain(NOT_FUNCTIONS)) {
                    message = format!("{message}; did you mean `{near}`?");
                }
                return Err(Refused::new(message, placed.span.clone()));
            }
        }
        Ok(())
    }

    /// What the parser said, with a place if it names something that has one.
    pub(super) fn refused(&self, error: &str) -> Refused {
        let named = error.split('\'').nth(1);
        let place = self.tokens.iter().find(|placed| match &placed.token {
            Token::Word(word) => named == Some(word),
            Token::Mark(mark) => named == Some(mark),
            _ => false,
        });
        if let Some(place) = place {
            return Refused::new(error.replace('\'', "`"), place.span.clone());
        }
        let misplaced = self.misplaced();
        match misplaced {
            Some(place) if named.is_none() => place,
            _ if error.starts_with("invalid promql") => {
                Refused::new("this is not a PromQL expression", self.whole())
            }
            _ => Refused::new(error.replace('\'', "`"), self.whole()),
        }
    }

    /// The first token that cannot follow the one before it.
    fn misplaced(&self) -> Option<Refused> {
        let operator = |placed: &Placed| match &placed.token {
            Token::Mark(mark) => matches!(
                *mark,
                "==" | "!=" | "<=" | ">=" | "<" | ">" | "*" | "/" | "%" | "^" | "=" | "=~" | "!~"
            ),
            _ => false,
        };
        let sign = |placed: &Placed| matches!(placed.token, Token::Mark("+" | "-"));
        let opens = |placed: &Placed| matches!(placed.token, Token::Mark("(" | "{" | "[" | ","));
        let operand = |placed: &Placed| {
            matches!(placed.token, Token::Number(_) | Token::Text(_)) && ends_operand(placed)
        };
        let first = self.tokens.first().filter(|first| operator(first));
        let pair = || {
            let mut pairs = self.tokens.windows(2);
            pairs.find_map(|pair| {
                let [before, after] = pair else { return None };
                let doubled =
                    (operator(before) || sign(before) || opens(before)) && operator(after);
                let unjoined = (operand(before)
                    || matches!(before.token, Token::Mark(")" | "}" | "]")))
                    && operand(after);
                let ended = (operator(before) || sign(before))
                    && matches!(after.token, Token::Mark(")" | "," | "}"));
                (doubled || unjoined || ended).then_some(after)
            })
        };
        let last = || {
            let last = self.tokens.last()?;
            (operator(last) || sign(last)).then_some(last)
        };
        if let Some(place) = first.or_else(pair) {
            return Some(Refused::new("this cannot stand here", place.span.clone()));
        }
        let last = last()?;
        Some(Refused::new(
            "something has to follow here",
            last.span.clone(),
        ))
    }
}
