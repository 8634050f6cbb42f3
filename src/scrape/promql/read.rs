//! From text to a plan.
//!
//! The grammar is `promql-parser`'s, the words are [`scan`]'s, and everything that an expression needs to be evaluated is
//! checked here: what came out cannot fail for being not supported.

mod calls;
mod mistakes;

use std::ops::Range;
use std::time::{Duration, SystemTime};

use promql_parser::label::{MatchOp, Matchers};
use promql_parser::parser::token::{self, TokenId};
use promql_parser::parser::{
    self as ast, AtModifier, LabelModifier, Offset, VectorMatchCardinality,
};

use super::Refused;
use super::plan::{Binary, Expr, Group, Kind, Matching, Moment, Op, Pick, Subquery, When};
use super::scan::{self, NO_NAME, Placed, Token};
use super::selector::{LOOKBACK, Matcher, Selector, Test, regex};
use crate::scrape::Labels;
use crate::scrape::labels::NAME;

/// The step of a subquery that names none: the default evaluation interval of Prometheus, in milliseconds.
const DEFAULT_STEP: i64 = 60_000;
/// How many steps subqueries within each other may take together.
const MOST_STEPS: i64 = 11_000;

/// Reads an expression: the plan, its selectors, and whether it looks at fixed moments.
pub(super) fn query(text: &str) -> Result<(Expr, Vec<Selector>), Refused> {
    let tokens = scan::scan(text)?;
    let mut reader = Reader {
        tokens: &tokens,
        selectors: Vec::new(),
    };
    reader.words()?;
    let parsed = ast::parse(&scan::respell(&tokens)).map_err(|error| reader.refused(&error))?;
    let (expr, kind) = reader.expr(&parsed, Outer::default())?;
    if matches!(kind, Kind::Text | Kind::Range) {
        let message = format!(
            "the expression gives {}, not numbers of one moment",
            kind.name()
        );
        return Err(Refused::new(message, reader.whole()));
    }
    Ok((expr, reader.selectors))
}

/// Reads a selector and nothing but that.
pub(super) fn selector(text: &str) -> Result<Selector, Refused> {
    let (expr, mut selectors) = query(text)?;
    match (expr, selectors.pop()) {
        (Expr::Select(pick), Some(selector)) if pick.when.offset == 0 && pick.when.at.is_none() => {
            Ok(selector)
        }
        _ => {
            let message = "this is not a plain selector, as `name{label=\"value\"}`";
            Err(Refused::new(message, 0..text.len()))
        }
    }
}

struct Reader<'t> {
    tokens: &'t [Placed],
    selectors: Vec<Selector>,
}

/// What encloses a part: how much further back it looks for that, and how often it is evaluated.
#[derive(Clone, Copy)]
struct Outer {
    reach: i64,
    steps: i64,
}

impl Default for Outer {
    fn default() -> Self {
        Self { reach: 0, steps: 1 }
    }
}

impl Reader<'_> {
    fn whole(&self) -> Range<usize> {
        let first = self.tokens.first().map_or(0, |placed| placed.span.start);
        let last = self.tokens.last().map_or(0, |placed| placed.span.end);
        first..last
    }

    /// What a number in quotes stands for.
    fn text(&self, number: &str) -> Result<(&str, Range<usize>), Refused> {
        let token = number
            .parse()
            .ok()
            .and_then(|number: usize| self.tokens.get(number));
        match token.map(|placed| (&placed.token, &placed.span)) {
            Some((Token::Text(text) | Token::Word(text), span)) => Ok((text, span.clone())),
            _ => Err(Refused::new(
                "this is not a PromQL expression",
                self.whole(),
            )),
        }
    }

    /// A label's name, plain or in quotes.
    fn label(&self, name: &str) -> Result<String, Refused> {
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            Ok(self.text(name)?.0.to_owned())
        } else {
            Ok(name.to_owned())
        }
    }

    fn labels(&self, names: &[String]) -> Result<Vec<String>, Refused> {
        let mut labels: Vec<String> = names
            .iter()
            .map(|name| self.label(name))
            .collect::<Result<_, _>>()?;
        labels.sort();
        labels.dedup();
        Ok(labels)
    }

    fn expr(&mut self, expr: &ast::Expr, outer: Outer) -> Result<(Expr, Kind), Refused> {
        match expr {
            ast::Expr::Paren(paren) => self.expr(&paren.expr, outer),
            ast::Expr::NumberLiteral(number) => Ok((Expr::Number(number.val), Kind::Scalar)),
            ast::Expr::StringLiteral(text) => {
                let text = self.text(&text.val)?.0.to_owned();
                Ok((Expr::Text(text), Kind::Text))
            }
            ast::Expr::VectorSelector(selector) => {
                let pick = self.pick(selector, LOOKBACK, outer)?;
                Ok((Expr::Select(pick), Kind::Vector))
            }
            ast::Expr::MatrixSelector(selector) => {
                let range = millis(selector.range);
                let pick = self.pick(&selector.vs, range, outer)?;
                Ok((Expr::Range(pick, range), Kind::Range))
            }
            ast::Expr::Subquery(subquery) => self.subquery(subquery, outer),
            ast::Expr::Unary(unary) => {
                let (inner, kind) = self.expr(&unary.expr, outer)?;
                match (inner, kind) {
                    (Expr::Number(value), _) => Ok((Expr::Number(-value), kind)),
                    (inner, Kind::Scalar | Kind::Vector) => {
                        Ok((Expr::Negate(Box::new(inner)), kind))
                    }
                    _ => Err(self.mistaken("a sign", kind)),
                }
            }
            ast::Expr::Binary(binary) => self.binary(binary, outer),
            ast::Expr::Aggregate(aggregate) => {
                let expr = self.aggregate(aggregate, outer)?;
                Ok((expr, Kind::Vector))
            }
            ast::Expr::Call(call) => self.call(call, outer),
            ast::Expr::Extension(_) => Err(Refused::new(
                "this is not a PromQL expression",
                self.whole(),
            )),
        }
    }

    fn mistaken(&self, what: &str, kind: Kind) -> Refused {
        Refused::new(format!("{what} cannot take {}", kind.name()), self.whole())
    }

    fn pick(
        &mut self,
        selector: &ast::VectorSelector,
        range: i64,
        outer: Outer,
    ) -> Result<Pick, Refused> {
        let when = when(selector.offset.as_ref(), selector.at.as_ref());
        let reach = reach(range, when, outer.reach).max(0);
        let matchers = self.matchers(selector.name.as_deref(), &selector.matchers)?;
        self.selectors.push(Selector::new(matchers, reach));
        Ok(Pick {
            selector: self.selectors.len() - 1,
            when,
        })
    }

    fn matchers(&self, name: Option<&str>, matchers: &Matchers) -> Result<Vec<Matcher>, Refused> {
        if !matchers.or_matchers.is_empty() {
            return Err(Refused::new(
                "`or` within a selector is not supported",
                self.whole(),
            ));
        }
        let mut out = Vec::new();
        if let Some(name) = name {
            out.push(Matcher {
                name: NAME.into(),
                test: Test::Equal(name.into()),
            });
        }
        for matcher in matchers
            .matchers
            .iter()
            .filter(|matcher| matcher.value != NO_NAME)
        {
            let (value, span) = self.text(&matcher.value)?;
            let regex = || regex(value).map_err(|why| Refused::new(why, span.clone()));
            let test = match matcher.op {
                MatchOp::Equal => Test::Equal(value.into()),
                MatchOp::NotEqual => Test::NotEqual(value.into()),
                MatchOp::Re(_) => Test::Matches(regex()?),
                MatchOp::NotRe(_) => Test::MatchesNot(regex()?),
            };
            let name = self.label(&matcher.name)?.into();
            out.push(Matcher { name, test });
        }
        let selector = Selector::new(out.clone(), 0);
        if name.is_none() && selector.matches_nothing() {
            let message =
                "a selector needs at least one matcher that does not match the empty string";
            return Err(Refused::new(message, self.whole()));
        }
        Ok(out)
    }

    fn subquery(
        &mut self,
        subquery: &ast::SubqueryExpr,
        outer: Outer,
    ) -> Result<(Expr, Kind), Refused> {
        let range = millis(subquery.range);
        let step = subquery.step.map_or(DEFAULT_STEP, millis).max(1);
        let when = when(subquery.offset.as_ref(), subquery.at.as_ref());
        let steps = outer.steps.saturating_mul(range / step + 1);
        if steps > MOST_STEPS {
            let message = format!("subqueries of more than {MOST_STEPS} steps are not supported");
            return Err(Refused::new(message, self.whole()));
        }
        let inner = Outer {
            reach: reach(range, when, outer.reach),
            steps,
        };
        let (expr, kind) = self.expr(&subquery.expr, inner)?;
        if kind != Kind::Vector {
            return Err(self.mistaken("a subquery", kind));
        }
        let subquery = Subquery {
            expr,
            range,
            step,
            when,
        };
        Ok((Expr::Subquery(Box::new(subquery)), Kind::Range))
    }

    fn binary(&mut self, binary: &ast::BinaryExpr, outer: Outer) -> Result<(Expr, Kind), Refused> {
        let op = operator(binary.op.id()).ok_or_else(|| {
            Refused::new(format!("`{}` is not supported", binary.op), self.whole())
        })?;
        let (left, left_kind) = self.expr(&binary.lhs, outer)?;
        let (right, right_kind) = self.expr(&binary.rhs, outer)?;
        let kind = match (left_kind, right_kind) {
            (Kind::Scalar, Kind::Scalar) => Kind::Scalar,
            (Kind::Scalar | Kind::Vector, Kind::Scalar | Kind::Vector) => Kind::Vector,
            (Kind::Scalar | Kind::Vector, other) | (other, _) => {
                return Err(self.mistaken(&format!("`{}`", binary.op), other));
            }
        };
        let mut matching = Matching {
            on: false,
            labels: Vec::new(),
            group: Group::None,
            include: Vec::new(),
        };
        let mut bool = false;
        if let Some(modifier) = &binary.modifier {
            if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
                return Err(Refused::new("`fill` is not supported", self.whole()));
            }
            bool = modifier.return_bool;
            match &modifier.matching {
                None => {}
                Some(LabelModifier::Include(labels)) => {
                    matching.on = true;
                    matching.labels = self.labels(&labels.labels)?;
                }
                Some(LabelModifier::Exclude(labels)) => {
                    matching.labels = self.labels(&labels.labels)?;
                }
            }
            match &modifier.card {
                VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => {}
                VectorMatchCardinality::ManyToOne(labels) => {
                    matching.group = Group::Left;
                    matching.include = self.labels(&labels.labels)?;
                }
                VectorMatchCardinality::OneToMany(labels) => {
                    matching.group = Group::Right;
                    matching.include = self.labels(&labels.labels)?;
                }
            }
        }
        let binary = Binary {
            op,
            left,
            right,
            bool,
            matching,
        };
        Ok((Expr::Binary(Box::new(binary)), kind))
    }
}

fn operator(id: TokenId) -> Option<Op> {
    Some(match id {
        token::T_ADD => Op::Add,
        token::T_SUB => Op::Sub,
        token::T_MUL => Op::Mul,
        token::T_DIV => Op::Div,
        token::T_MOD => Op::Mod,
        token::T_POW => Op::Pow,
        token::T_ATAN2 => Op::Atan2,
        token::T_EQLC => Op::Equal,
        token::T_NEQ => Op::NotEqual,
        token::T_GTR => Op::Greater,
        token::T_LSS => Op::Less,
        token::T_GTE => Op::GreaterEqual,
        token::T_LTE => Op::LessEqual,
        token::T_LAND => Op::And,
        token::T_LOR => Op::Or,
        token::T_LUNLESS => Op::Unless,
        _ => return None,
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn when(offset: Option<&Offset>, at: Option<&AtModifier>) -> When {
    let offset = match offset {
        None => 0,
        Some(Offset::Pos(offset)) => millis(*offset),
        Some(Offset::Neg(offset)) => -millis(*offset),
    };
    let at = at.map(|at| match at {
        AtModifier::Start | AtModifier::End => Moment::Query,
        AtModifier::At(at) => Moment::At(match at.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => millis(after),
            Err(before) => -millis(before.duration()),
        }),
    });
    When { offset, at }
}

/// How far back from the moment of the query a part looks that covers `range`.
fn reach(range: i64, when: When, outer: i64) -> i64 {
    let own = range.saturating_add(when.offset);
    match when.at {
        None if outer == i64::MAX => i64::MAX,
        None => outer.saturating_add(own),
        Some(Moment::Query) => own,
        Some(Moment::At(_)) => i64::MAX,
    }
}

impl Selector {
    /// Whether a series without any label would do.
    fn matches_nothing(&self) -> bool {
        self.matches(&Labels::default())
    }
}
