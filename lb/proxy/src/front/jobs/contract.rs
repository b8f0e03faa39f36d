//! Requests of routes with a contract: they become jobs, and clients are answered in its shape.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use pingora::proxy::Session;
use tokio::time::timeout;

use weighbridge_core::request::RouteId;

use super::Refused;
use crate::answer::{Problem, Whole};
use crate::caller::{Caller as _, Gone};
use crate::config::Contract;
use crate::front::{Front, body, client};
use crate::jobs::contract::desk::{Came, Unasked};
use crate::jobs::contract::input::{self, Input, parameter};
use crate::jobs::contract::made::{End, said};
use crate::jobs::intake::Wanted;
use crate::jobs::ledger::Found;
use crate::jobs::{JobRoom, contract};
use crate::record::Record;

/// A request that was read.
struct Asked<'a> {
    room: &'a Arc<JobRoom>,
    route: RouteId,
    contract: &'a Arc<Contract>,
    input: Input,
    query: String,
    client: Option<String>,
}

// === impl Front ===

impl Front {
    /// Serves a request of a route with a contract.
    pub(in crate::front) async fn serve_contract(
        &self,
        session: &mut Session,
        record: &mut Record,
        (route, contract): (RouteId, Arc<Contract>),
    ) -> Result<(), Gone> {
        let served = Box::pin(self.try_to_serve(session, record, (route, &contract))).await;
        match served {
            Ok(answer) => self.answer(session, record, answer).await,
            Err(Refused::Gone) => Err(Gone),
            Err(Refused::Problem(problem)) => self.refuse(session, record, &problem).await,
        }
    }

    async fn try_to_serve(
        &self,
        session: &mut Session,
        record: &mut Record,
        (route, contract): (RouteId, &Arc<Contract>),
    ) -> Result<Whole, Refused> {
        let Some(room) = &self.jobs else { return Err(Refused::Gone) };
        if contract.exchange.as_ref().is_some_and(|exchange| !exchange.part.is_web()) {
            let detail = "requests come by messages here, see `exchange.part`";
            return Err(Problem::new(StatusCode::NOT_FOUND, detail).at("path").into());
        }
        let share = self.dispatch.budget.share(client::owner(session, &self.config.forwarding));
        let body = body::read(session, self.body_limits(route), share).await?;
        record.bytes_in = body.bytes.len() as u64;
        let head = session.req_header();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let input = match input::of_request(&contract.intake, head, &body.bytes).await {
            Ok(input) => input,
            Err(input::Refused::Said(told, why)) => {
                return said(&told, None, why).map_err(|_| Refused::Gone);
            }
            Err(input::Refused::Problem(problem)) => return Err(problem.into()),
        };
        let client = record.terms.client.as_deref().map(str::to_owned);
        let asked = Asked { room, route, contract, input, query, client };
        let ended = async {
            match contract.exchange {
                Some(_) => asked.by_message(&self.config.route(route).name).await,
                None => asked.by_job(body).await,
            }
        };
        // Who leaves has asked nevertheless: the job goes on.
        let mut client = self.client(session, record);
        tokio::select! {
            answer = ended => answer,
            () = client.gone() => Err(Refused::Gone),
        }
    }
}

// === impl Asked ===

impl Asked<'_> {
    /// Has a job of the ledger made of it, and waits for its end.
    async fn by_job(mut self, body: body::Body) -> Result<Whole, Refused> {
        let Asked { room, route, contract, input, query, client } = &self;
        let query = (!query.is_empty()).then_some(query.as_str());
        let head = input::for_host(contract, input, query)?;
        if let Some(at) = &contract.intake.object {
            let object = contract::buckets::Object {
                media_type: input.media_type.clone(),
                body: input.body.clone(),
            };
            let place = input.name.place(at);
            room.contracts.outside.buckets.put(&place, &object).await.map_err(|error| {
                tracing::warn!(%error, "an input cannot be kept");
                let detail = "inputs cannot be kept now";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
            })?;
        }
        let received = room.received(input.body.clone(), body.into_share()).await?;
        let wanted =
            Wanted { route: *route, head, key: None, callback: None, client: client.clone() };
        let id = room.accept(wanted, received).await?.kept.job.id;
        self.input.body = Bytes::new();
        let Asked { room, contract, input, .. } = &self;
        let Ok(_place) = room.polls.try_acquire() else { return self.late() };
        match room.wait_for_end(id, contract.delivery.wait).await? {
            Found::Kept(kept) if kept.job.state.is_final() && kept.job.told => {
                let end = room.end_of(&kept).await?.checked(contract, &input.name);
                self.answer(&end)
            }
            Found::Kept(_) => self.late(),
            Found::Forgotten | Found::Unknown => {
                self.answer(&End::Failed("the job is forgotten".to_owned()))
            }
        }
    }

    /// Asks by a message, and waits for the one that answers it.
    async fn by_message(&self, route: &str) -> Result<Whole, Refused> {
        let Asked { room, contract, input, query, .. } = self;
        let asked = async {
            let mut reply = room.ask_by_message((route, contract), input, query).await?;
            // Where nobody will tell any more, it is late.
            let came = reply.wait_for(Option::is_some).await.ok().and_then(|came| came.clone());
            Ok::<_, Unasked>(came)
        };
        match timeout(contract.delivery.wait, asked).await {
            Ok(Ok(Some(Came::End(end)))) => self.answer(&end),
            Ok(Ok(Some(Came::Unasked))) => {
                let detail = "requests cannot be passed on now";
                Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1).into())
            }
            Ok(Ok(None)) | Err(_) => self.late(),
            Ok(Err(unasked)) => Err(refused(unasked).into()),
        }
    }

    fn answer(&self, end: &End) -> Result<Whole, Refused> {
        let delivery = &self.contract.delivery;
        let parameter = &delivery.as_it_is;
        let as_it_is = !parameter.is_empty() && parameter_is_there(&self.query, parameter);
        end.answer(delivery, &self.input.name, as_it_is).map_err(|_| Refused::Gone)
    }

    fn late(&self) -> Result<Whole, Refused> {
        let told = &self.contract.delivery.late;
        let why = "the answer has not come in time";
        said(told, Some(&self.input.name), why).map_err(|_| Refused::Gone)
    }
}

fn parameter_is_there(query: &str, name: &str) -> bool {
    parameter(query, name).is_some()
}

fn refused(unasked: Unasked) -> Problem {
    match unasked {
        Unasked::Full => {
            let detail = "too many requests wait for answers";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
        }
        Unasked::TooLong => {
            let detail = "the message of the input would be longer than it may be";
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).at("body")
        }
        Unasked::Unnameable => {
            let detail = "an answer could not tell of an input of this name";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).at("body")
        }
    }
}
