//! The calls that read PIM's objects.

use super::knobs::Knobs;
use super::query::Query;
use super::refusal::Refusal;
use super::state::State;
use super::surface::Surface;
use super::{Asked, Graph, Outcome};

const OF_REQUESTS: [&str; 8] = [
    "id",
    "status",
    "principalId",
    "roleDefinitionId",
    "directoryScopeId",
    "appScopeId",
    "targetScheduleId",
    "createdBy",
];
const OF_GROUP_REQUESTS: [&str; 7] =
    ["id", "status", "principalId", "groupId", "accessId", "targetScheduleId", "createdBy"];

impl Graph {
    pub(super) fn schedule_request(&self, state: &mut State, asked: &Asked, surface: Surface, id: &str) -> Outcome {
        let query = Query::of(asked.request.uri())?;
        let knobs = state.knobs.clone();
        let requests = &state.tenant(asked.caller.tenant).requests;
        let request = requests.iter().find(|request| request.is_shown_as(surface, id, asked.now));
        let request = request.ok_or_else(|| Refusal::pim_object(id))?;
        Ok((200, Some(query.select(self.request_row(request, asked.now, &knobs, false)))))
    }

    pub(super) fn schedule_requests(&self, state: &mut State, asked: &Asked, surface: Surface) -> Outcome {
        let uri = asked.request.uri();
        let query = list_query(asked, surface)?;
        query.only(if surface.is_of_groups() { &OF_GROUP_REQUESTS } else { &OF_REQUESTS })?;
        let knobs = state.knobs.clone();
        let requests = &state.tenant(asked.caller.tenant).requests;
        let shown = requests.iter().filter(|row| query.may_mean(&row.holding) && row.is_shown(surface, asked.now));
        let rows = shown.map(|request| super::render::plain(self.request_row(request, asked.now, &knobs, false)));
        Ok((200, Some(query.page(&self.url, uri, rows.collect(), knobs.page_size))))
    }

    pub(super) fn schedule(&self, state: &mut State, asked: &Asked, surface: Surface, id: &str) -> Outcome {
        let knobs = state.knobs.clone();
        let mut rows = state.tenant(asked.caller.tenant).assignments.iter();
        let found = rows.find(|row| row.is_of(surface) && row.schedule_id == id && row.is_shown(asked.now));
        let row = found.ok_or_else(|| Refusal::pim_object(id))?.schedule_row(asked.now, &knobs);
        Ok((200, Some(self.entity(surface, "Schedules", row))))
    }

    pub(super) fn schedules(&self, state: &mut State, asked: &Asked, surface: Surface) -> Outcome {
        let query = list_query(asked, surface)?;
        let knobs = state.knobs.clone();
        let rows = state.tenant(asked.caller.tenant).assignments.iter();
        let shown = rows.filter(|row| query.may_mean(&row.holding) && row.is_of(surface) && row.is_shown(asked.now));
        let rows = shown.map(|row| row.schedule_row(asked.now, &knobs)).collect();
        Ok((200, Some(query.page(&self.url, asked.request.uri(), rows, knobs.page_size))))
    }

    pub(super) fn instance(&self, state: &mut State, asked: &Asked, surface: Surface, id: &str) -> Outcome {
        let knobs = state.knobs.clone();
        let mut rows = state.tenant(asked.caller.tenant).assignments.iter();
        let found = rows.find(|row| row.is_of(surface) && row.instance_id == id && row.is_instance(asked.now));
        let row = found.ok_or_else(|| Refusal::pim_object(id))?.instance_row(&knobs);
        Ok((200, Some(self.entity(surface, "ScheduleInstances", row))))
    }

    pub(super) fn instances(&self, state: &mut State, asked: &Asked, surface: Surface) -> Outcome {
        let query = list_query(asked, surface)?;
        let knobs: Knobs = state.knobs.clone();
        let rows = state.tenant(asked.caller.tenant).assignments.iter();
        let shown = rows.filter(|row| query.may_mean(&row.holding) && row.is_of(surface) && row.is_instance(asked.now));
        let rows = shown.map(|row| row.instance_row(&knobs)).collect();
        Ok((200, Some(query.page(&self.url, asked.request.uri(), rows, knobs.page_size))))
    }
}

/// Nobody may list all groups at once (§3).
fn list_query(asked: &Asked, surface: Surface) -> Result<Query, Refusal> {
    let query = Query::of(asked.request.uri())?;
    let narrowed = query.wanted("groupId").or_else(|| query.wanted("principalId")).is_some();
    if surface.is_of_groups() && !narrowed {
        return Err(Refusal::bad("A filter by groupId or principalId is required."));
    }
    Ok(query)
}
