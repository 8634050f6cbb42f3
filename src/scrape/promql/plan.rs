//! An expression, checked and ready to be evaluated.

use std::sync::{Arc, Mutex};

use regex::Regex;

use super::rows::Tags;
use crate::scrape::Labels;

/// A part of an expression. Parentheses are gone.
#[derive(Debug, Clone)]
pub(super) enum Expr {
    Number(f64),
    /// An argument of a function.
    Text(String),
    /// The newest value of each series.
    Select(Pick),
    /// All values of a stretch of time.
    Range(Pick, i64),
    Subquery(Box<Subquery>),
    Negate(Box<Expr>),
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
    Call(Function, Vec<Expr>),
    /// `label_replace` and `label_join`.
    Relabel(Box<Relabel>),
}

/// What kind of value a part gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar,
    Vector,
    Range,
    Text,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "a scalar",
            Self::Vector => "an instant vector",
            Self::Range => "a range vector",
            Self::Text => "a string",
        }
    }
}

/// A selector and the moment it looks at.
#[derive(Debug, Clone)]
pub(super) struct Pick {
    /// Which of the query's selectors.
    pub selector: usize,
    pub when: When,
}

/// Which moment is looked at, seen from the moment of evaluation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct When {
    /// Milliseconds into the past.
    pub offset: i64,
    pub at: Option<Moment>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Moment {
    /// Milliseconds since the Unix epoch.
    At(i64),
    /// `start()` and `end()`, the moment for which the whole query is evaluated.
    Query,
}

/// `expr[range:step]`.
#[derive(Debug, Clone)]
pub(super) struct Subquery {
    pub expr: Expr,
    pub range: i64,
    pub step: i64,
    pub when: When,
}

#[derive(Debug, Clone)]
pub(super) struct Binary {
    pub op: Op,
    pub left: Expr,
    pub right: Expr,
    /// 0 or 1 in the place of keeping or dropping.
    pub bool: bool,
    pub matching: Matching,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    And,
    Or,
    Unless,
}

impl Op {
    pub fn compares(self) -> bool {
        use Op::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
        matches!(
            self,
            Equal | NotEqual | Greater | Less | GreaterEqual | LessEqual
        )
    }

    pub fn is_set(self) -> bool {
        matches!(self, Op::And | Op::Or | Op::Unless)
    }

    /// Prometheus 2.42 forgets to for `atan2`.
    pub fn drops_name(self) -> bool {
        use Op::{Add, Div, Mod, Mul, Pow, Sub};
        matches!(self, Add | Sub | Mul | Div | Mod | Pow)
    }
}

/// How series of two sides find each other.
#[derive(Debug, Clone)]
pub(super) struct Matching {
    /// By these labels only (`on`), or by all but these and the name.
    pub on: bool,
    pub labels: Vec<String>,
    pub group: Group,
    /// Labels taken over from the one side.
    pub include: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    None,
    /// `group_left`: many on the left.
    Left,
    Right,
}

#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    pub op: Aggregation,
    pub expr: Expr,
    pub without: bool,
    /// Sorted, each once.
    pub labels: Vec<String>,
    /// How the series were grouped the last time.
    pub remembered: Arc<Mutex<Option<Grouping>>>,
}

/// Which series belong together. From one tick to the next they are mostly the same.
#[derive(Debug, Clone)]
pub(super) struct Grouping {
    /// The series, in their order.
    pub tags: Arc<[Tags]>,
    /// The group of each.
    pub of: Arc<[usize]>,
    /// The labels of each group.
    pub groups: Arc<[Labels]>,
}

#[derive(Debug, Clone)]
pub(super) enum Aggregation {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    Topk(Expr),
    Bottomk(Expr),
    Quantile(Expr),
    /// With the label that takes the values.
    CountValues(String),
}

#[derive(Debug, Clone)]
pub(super) struct Relabel {
    pub expr: Expr,
    /// The label that is set.
    pub to: String,
    pub how: How,
}

#[derive(Debug, Clone)]
pub(super) enum How {
    Replace {
        from: String,
        regex: Regex,
        template: String,
    },
    Join {
        from: Vec<String>,
        separator: String,
    },
}

macro_rules! functions {
    ($($name:ident $text:literal ($($argument:ident)*) $(optional $more:literal)? -> $result:ident;)*) => {
        /// A function, named as in `PromQL`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Function { $($name,)* }

        impl Function {
            /// All there are, by name.
            pub const ALL: &[(&str, Function)] = &[$(($text, Function::$name),)*];

            /// The kinds of its arguments.
            pub fn arguments(self) -> &'static [Kind] {
                match self { $(Self::$name => &[$(Kind::$argument,)*],)* }
            }

            /// How many of those may be left out.
            pub fn optional(self) -> usize {
                match self { $(Self::$name => 0 $(+ $more)?,)* }
            }

            /// What it gives.
            pub fn result(self) -> Kind {
                match self { $(Self::$name => Kind::$result,)* }
            }
        }
    };
}

functions! {
    Rate "rate" (Range) -> Vector;
    Irate "irate" (Range) -> Vector;
    Increase "increase" (Range) -> Vector;
    Delta "delta" (Range) -> Vector;
    Idelta "idelta" (Range) -> Vector;
    Deriv "deriv" (Range) -> Vector;
    PredictLinear "predict_linear" (Range Scalar) -> Vector;
    AvgOverTime "avg_over_time" (Range) -> Vector;
    MinOverTime "min_over_time" (Range) -> Vector;
    MaxOverTime "max_over_time" (Range) -> Vector;
    SumOverTime "sum_over_time" (Range) -> Vector;
    CountOverTime "count_over_time" (Range) -> Vector;
    LastOverTime "last_over_time" (Range) -> Vector;
    PresentOverTime "present_over_time" (Range) -> Vector;
    StddevOverTime "stddev_over_time" (Range) -> Vector;
    StdvarOverTime "stdvar_over_time" (Range) -> Vector;
    QuantileOverTime "quantile_over_time" (Scalar Range) -> Vector;
    AbsentOverTime "absent_over_time" (Range) -> Vector;
    Changes "changes" (Range) -> Vector;
    Resets "resets" (Range) -> Vector;
    Absent "absent" (Vector) -> Vector;
    Abs "abs" (Vector) -> Vector;
    Ceil "ceil" (Vector) -> Vector;
    Floor "floor" (Vector) -> Vector;
    Exp "exp" (Vector) -> Vector;
    Ln "ln" (Vector) -> Vector;
    Log2 "log2" (Vector) -> Vector;
    Log10 "log10" (Vector) -> Vector;
    Sqrt "sqrt" (Vector) -> Vector;
    Sgn "sgn" (Vector) -> Vector;
    Sin "sin" (Vector) -> Vector;
    Cos "cos" (Vector) -> Vector;
    Tan "tan" (Vector) -> Vector;
    Asin "asin" (Vector) -> Vector;
    Acos "acos" (Vector) -> Vector;
    Atan "atan" (Vector) -> Vector;
    Sinh "sinh" (Vector) -> Vector;
    Cosh "cosh" (Vector) -> Vector;
    Tanh "tanh" (Vector) -> Vector;
    Asinh "asinh" (Vector) -> Vector;
    Acosh "acosh" (Vector) -> Vector;
    Atanh "atanh" (Vector) -> Vector;
    Rad "rad" (Vector) -> Vector;
    Deg "deg" (Vector) -> Vector;
    Round "round" (Vector Scalar) optional 1 -> Vector;
    Clamp "clamp" (Vector Scalar Scalar) -> Vector;
    ClampMin "clamp_min" (Vector Scalar) -> Vector;
    ClampMax "clamp_max" (Vector Scalar) -> Vector;
    HistogramQuantile "histogram_quantile" (Scalar Vector) -> Vector;
    Sort "sort" (Vector) -> Vector;
    SortDesc "sort_desc" (Vector) -> Vector;
    Timestamp "timestamp" (Vector) -> Vector;
    Vector "vector" (Scalar) -> Vector;
    Scalar "scalar" (Vector) -> Scalar;
    Time "time" () -> Scalar;
    Pi "pi" () -> Scalar;
    LabelReplace "label_replace" (Vector Text Text Text Text) -> Vector;
    LabelJoin "label_join" (Vector Text Text Text) -> Vector;
}

impl Function {
    /// The function of that name.
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(other, _)| *other == name)?;
        Some(found.1)
    }
}
