//! One case: a story, where its process is stopped, and what takes its place.

use std::fmt;

use stint::sandbox::{Postgres, Way};

use crate::{
    books,
    director::{Effect, Stroke},
    field::Field,
};

/// What happens to the access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// It ends by its own time.
    Expired,
    /// The ticket is cancelled while it lasts.
    Withdrawn,
}

/// What goes on when the process was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// It was killed, and starts again at once.
    Same,
    /// It was killed, and another one takes over when its lease has lapsed.
    Other,
    /// It stood still, and goes on after another one took over.
    Both,
}

/// A story, and where it breaks.
#[derive(Clone, Debug)]
pub struct Case {
    pub story: Story,
    pub plan: Option<(Effect, Stroke)>,
    pub recovery: Recovery,
    /// Whether the story came there each time that it was played without a stop.
    pub always: bool,
}

/// What came of a case.
pub struct Played {
    pub faults: Vec<String>,
    /// The side effects of the part of the story that the case is about.
    pub effects: Vec<Effect>,
    pub struck: bool,
}

impl Story {
    pub const ALL: [Self; 2] = [Self::Expired, Self::Withdrawn];

    /// The cause of the end, as stint must tell it.
    pub fn cause(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl Case {
    /// A story without any stop.
    pub fn whole(story: Story) -> Self {
        Self { story, plan: None, recovery: Recovery::Same, always: true }
    }

    /// Every case of this side effect; `always`: whether it comes each time.
    pub fn all_of(story: Story, effect: &Effect, always: bool) -> Vec<Self> {
        let strokes = strokes(&effect.label);
        let recoveries = [Recovery::Same, Recovery::Other, Recovery::Both];
        let of =
            |stroke| recoveries.map(|recovery| Self { story, plan: Some((effect.clone(), stroke)), recovery, always });
        strokes.into_iter().flat_map(of).collect()
    }

    /// Plays it in a database of its own.
    pub async fn play(&self, cluster: &Postgres, database: String) -> Played {
        let mut field = Field::begins(cluster, database, self).await;
        let ticket = field.plays(self.story).await;
        field.ends().await;
        let mut faults = std::mem::take(&mut field.faults);
        faults
            .extend(books::faults(&field.ground, &[books::Asked::of(&ticket, self.story.cause())], &field.acked).await);
        field.ground.store.close().await;
        let effects = field.director.seen().split_off(field.mark);
        Played { faults, effects, struck: field.was_struck() }
    }
}

/// What may befall it: a commit arrives or does not; an answer can be lost in more ways, and most where something was changed.
fn strokes(label: &str) -> Vec<Stroke> {
    let lost = [Stroke::Before, Stroke::After, Stroke::Then(Way::LostBefore), Stroke::Then(Way::LostAfter)];
    let odd = [Way::TimedOut, Way::Halved, Way::Page, Way::SilentAfter].map(Stroke::Then);
    if label.starts_with("GET") {
        return vec![Stroke::Before, Stroke::Then(Way::LostBefore), Stroke::Then(Way::TimedOut)];
    }
    if label.starts_with("commit") || label.starts_with("alone") {
        return lost.to_vec();
    }
    lost.into_iter().chain(odd).collect()
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { story, plan, recovery, .. } = self;
        match plan {
            Some((effect, stroke)) => {
                write!(f, "{story:?}: {} ({}.), {stroke:?}, then {recovery:?}", effect.label, effect.nth)
            }
            None => write!(f, "{story:?}"),
        }
    }
}
