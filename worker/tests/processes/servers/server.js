// A server of Node that burns CPU time, and says how much by its own reading.
const http = require("node:http");

http
  .createServer((request, response) => {
    const url = new URL(request.url, "http://server");
    const before = process.cpuUsage();
    const used = () => {
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1e6;
    };
    if (url.pathname !== "/burn") {
      response.writeHead(404).end();
      return;
    }
    const seconds = Number(url.searchParams.get("ms") ?? 10) / 1e3;
    let sum = 0;
    while (used() < seconds) {
      for (let n = 0; n < 1e5; n++) sum += Math.sqrt(n);
    }
    response.setHeader("X-Pid", process.pid);
    response.setHeader("X-Cpu-Seconds", used());
    response.end(String(sum));
  })
  .listen(Number(process.env.PORT), "127.0.0.1");
