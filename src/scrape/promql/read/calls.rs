//! Aggregations and functions with what they are given.

use std::ops::Range;
use std::sync::Arc;

use promql_parser::parser::token;
use promql_parser::parser::{self as ast, LabelModifier};

use super::{Outer, Reader};
use crate::scrape::labels::is_plain_label;
use crate::scrape::promql::Refused;
use crate::scrape::promql::plan::{Aggregate, Aggregation, Expr, Function, How, Kind, Relabel};
use crate::scrape::promql::scan::Token;
use crate::scrape::promql::selector::regex;

impl Reader<'_> {
    pub(super) fn aggregate(
        &mut self,
        aggregate: &ast::AggregateExpr,
        outer: Outer,
    ) -> Result<Expr, Refused> {
        let param = match &aggregate.param {
            Some(param) => Some(self.expr(param, outer)?),
            None => None,
        };
        let scalar = |param| match param {
            Some((param, Kind::Scalar)) => Ok(param),
            _ => Err(Refused::new(
                format!("`{}` needs a scalar first", aggregate.op),
                self.whole(),
            )),
        };
        let op = match aggregate.op.id() {
            token::T_SUM => Aggregation::Sum,
            token::T_AVG => Aggregation::Avg,
            token::T_MIN => Aggregation::Min,
            token::T_MAX => Aggregation::Max,
            token::T_COUNT => Aggregation::Count,
            token::T_GROUP => Aggregation::Group,
            token::T_STDDEV => Aggregation::Stddev,
            token::T_STDVAR => Aggregation::Stdvar,
            token::T_TOPK => Aggregation::Topk(scalar(param)?),
            token::T_BOTTOMK => Aggregation::Bottomk(scalar(param)?),
            token::T_QUANTILE => Aggregation::Quantile(scalar(param)?),
            token::T_COUNT_VALUES => match param {
                Some((Expr::Text(label), _)) if is_plain_label(&label) => {
                    Aggregation::CountValues(label)
                }
                _ => {
                    return Err(Refused::new(
                        "`count_values` needs a label's name first",
                        self.whole(),
                    ));
                }
            },
            _ => {
                let message = format!("`{}` is not supported", aggregate.op);
                return Err(Refused::new(message, self.whole()));
            }
        };
        let (expr, kind) = self.expr(&aggregate.expr, outer)?;
        if kind != Kind::Vector {
            return Err(self.mistaken(&format!("`{}`", aggregate.op), kind));
        }
        let (without, labels) = match &aggregate.modifier {
            None => (false, Vec::new()),
            Some(LabelModifier::Include(labels)) => (false, self.labels(&labels.labels)?),
            Some(LabelModifier::Exclude(labels)) => (true, self.labels(&labels.labels)?),
        };
        Ok(Expr::Aggregate(Box::new(Aggregate {
            op,
            expr,
            without,
            labels,
            remembered: Arc::default(),
        })))
    }

    pub(super) fn call(&mut self, call: &ast::Call, outer: Outer) -> Result<(Expr, Kind), Refused> {
        let name = call.func.name;
        let place = self
            .tokens
            .iter()
            .find(|placed| matches!(&placed.token, Token::Word(word) if word == name));
        let place = place.map_or(self.whole(), |placed| placed.span.clone());
        let Some(function) = Function::named(name) else {
            return Err(Refused::new(
                format!("the function `{name}` is not supported"),
                place,
            ));
        };
        let wanted = function.arguments();
        let count = call.args.args.len();
        let most = if function == Function::LabelJoin {
            usize::MAX
        } else {
            wanted.len()
        };
        let least =
            wanted.len() - function.optional() - usize::from(function == Function::LabelJoin);
        if count < least || count > most {
            let message = format!("`{name}` does not take {count} arguments");
            return Err(Refused::new(message, place));
        }
        let mut args = Vec::with_capacity(count);
        for (number, arg) in call.args.args.iter().enumerate() {
            let (arg, kind) = self.expr(arg, outer)?;
            let wanted = wanted.get(number).copied().unwrap_or(Kind::Text);
            if kind != wanted {
                let message = format!(
                    "`{name}` needs {} here and was given {}",
                    wanted.name(),
                    kind.name()
                );
                return Err(Refused::new(message, place));
            }
            args.push(arg);
        }
        let expr = match function {
            Function::LabelReplace | Function::LabelJoin => relabel(function, args, place)?,
            _ => Expr::Call(function, args),
        };
        Ok((expr, function.result()))
    }
}

fn relabel(function: Function, args: Vec<Expr>, place: Range<usize>) -> Result<Expr, Refused> {
    let mut args = args.into_iter();
    let expr = args.next();
    let texts: Vec<String> = args
        .filter_map(|arg| match arg {
            Expr::Text(text) => Some(text),
            _ => None,
        })
        .collect();
    let label = |text: &str| {
        if is_plain_label(text) {
            Ok(text.to_owned())
        } else {
            Err(Refused::new(
                format!("`{text}` is not a label's name"),
                place.clone(),
            ))
        }
    };
    let (Some(expr), [to, second, rest @ ..]) = (expr, &texts[..]) else {
        return Err(Refused::new("this call lacks an argument", place));
    };
    let how = match (function, rest) {
        (Function::LabelReplace, [from, pattern]) => How::Replace {
            from: from.clone(),
            regex: regex(pattern).map_err(|why| Refused::new(why, place.clone()))?,
            template: second.clone(),
        },
        _ => How::Join {
            from: rest
                .iter()
                .map(|name| label(name))
                .collect::<Result<_, _>>()?,
            separator: second.clone(),
        },
    };
    let to = label(to)?;
    Ok(Expr::Relabel(Box::new(Relabel { expr, to, how })))
}
