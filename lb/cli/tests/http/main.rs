//! The balancer's HTTP as its clients see it: the program runs, the bytes on the wire are looked
//! at.

mod balancer;
mod client;
mod host;

mod bodies;
mod connections;
mod contract;
mod estimates;
mod grpc;
mod heads;
mod http2;
mod limits;
mod malformed;
mod neutral;
mod routing;
mod streams;
