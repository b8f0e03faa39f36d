//! The calls of KEDA: which there are, and how each is answered.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use http::{Request, Response};
use hyper::body::Incoming;
use prost::Message;
use tonic::body::Body;
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use super::messages::{
    GetMetricSpecResponse, GetMetricsRequest, IsActiveResponse, ScaledObjectRef,
};
use super::wanted;
use crate::front::Current;

/// Between two looks at whether a scaler has become active.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// The longest message that is read, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Messages that come one after the other.
struct Messages<M>(BoxStream<'static, Result<M, Status>>);

impl<M> Stream for Messages<M> {
    type Item = Result<M, Status>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<M, Status>>> {
        self.0.poll_next_unpin(context)
    }
}

/// Answers one call.
pub(super) async fn answer(current: Current, request: Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/externalscaler.ExternalScaler/IsActive" => {
            unary(request, Call::by(move |asked| is_active(&current, &asked))).await
        }
        "/externalscaler.ExternalScaler/StreamIsActive" => {
            streaming(request, Call::by(move |asked| activity(current.clone(), asked))).await
        }
        "/externalscaler.ExternalScaler/GetMetricSpec" => {
            unary(request, Call::by(move |asked| spec(&current, &asked))).await
        }
        "/externalscaler.ExternalScaler/GetMetrics" => {
            let metrics = move |asked: GetMetricsRequest| wanted::metrics(&current.load(), &asked);
            unary(request, Call::by(metrics)).await
        }
        "/externalscaler.ExternalScaler/StreamMetricSpec" => {
            let specs = move |asked: ScaledObjectRef| {
                let spec = spec(&current, &asked)?;
                // What is wanted of one pod never changes.
                Ok(Messages(stream::iter([Ok(spec)]).chain(stream::pending()).boxed()))
            };
            streaming(request, Call::by(specs)).await
        }
        other => Status::new(Code::Unimplemented, format!("there is no `{other}`")).into_http(),
    }
}

fn spec(current: &Current, asked: &ScaledObjectRef) -> Result<GetMetricSpecResponse, Status> {
    wanted::fleet(&current.load(), asked).map(|_| wanted::spec())
}

fn is_active(current: &Current, asked: &ScaledObjectRef) -> Result<IsActiveResponse, Status> {
    let front = current.load();
    wanted::fleet(&front, asked).map(|fleet| IsActiveResponse { result: wanted::is_active(fleet) })
}

/// Whether the scaler is active: now, and each time that it changes.
fn activity(
    current: Current,
    asked: ScaledObjectRef,
) -> Result<Messages<IsActiveResponse>, Status> {
    is_active(&current, &asked)?;
    let begun = (current, asked, None);
    let changes =
        stream::unfold(begun, |(current, asked, told): (_, _, Option<bool>)| async move {
            loop {
                match is_active(&current, &asked) {
                    Ok(now) if told == Some(now.result) => tokio::time::sleep(LOOK_INTERVAL).await,
                    Ok(now) => return Some((Ok(now), (current, asked, Some(now.result)))),
                    // The fleet has gone with a new configuration.
                    Err(error) => return Some((Err(error), (current, asked, told))),
                }
            }
        });
    Ok(Messages(changes.boxed()))
}

/// A call with one answer.
async fn unary<A, M>(request: Request<Incoming>, call: Call<A, M>) -> Response<Body>
where
    A: Message + Default + 'static,
    M: Message + 'static,
{
    let codec = ProstCodec::<M, A>::default();
    let mut grpc = Grpc::new(codec).max_decoding_message_size(MESSAGE_BYTES_MAX);
    grpc.unary(call, request).await
}

/// A call with one answer after the other.
async fn streaming<A, M>(request: Request<Incoming>, call: Call<A, Messages<M>>) -> Response<Body>
where
    A: Message + Default + 'static,
    M: Message + 'static,
{
    let codec = ProstCodec::<M, A>::default();
    let mut grpc = Grpc::new(codec).max_decoding_message_size(MESSAGE_BYTES_MAX);
    grpc.server_streaming(call, request).await
}

/// What a call is answered.
type Answered<M> = Result<tonic::Response<M>, Status>;

/// What answers a call, at once.
struct Call<A, M>(Box<dyn Fn(A) -> Result<M, Status> + Send + Sync>);

impl<A, M> Call<A, M> {
    fn by(answer: impl Fn(A) -> Result<M, Status> + Send + Sync + 'static) -> Call<A, M> {
        Call(Box::new(answer))
    }

    fn answer(&self, request: tonic::Request<A>) -> Ready<Answered<M>> {
        ready((self.0)(request.into_inner()).map(tonic::Response::new))
    }
}

impl<A, M> UnaryService<A> for Call<A, M> {
    type Response = M;
    type Future = Ready<Answered<M>>;

    fn call(&mut self, request: tonic::Request<A>) -> Self::Future {
        self.answer(request)
    }
}

impl<A, M> ServerStreamingService<A> for Call<A, Messages<M>> {
    type Response = M;
    type ResponseStream = Messages<M>;
    type Future = Ready<Answered<Messages<M>>>;

    fn call(&mut self, request: tonic::Request<A>) -> Self::Future {
        self.answer(request)
    }
}
