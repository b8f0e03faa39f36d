import com.sun.management.OperatingSystemMXBean;
import com.sun.net.httpserver.HttpServer;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

/** A server of the JDK, of one thread, that burns CPU time and says how much by its own reading. */
class Server {
    static double cpuSeconds() {
        var system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        return system.getProcessCpuTime() / 1e9;
    }

    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(System.getenv("PORT"));
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.setExecutor(Executors.newSingleThreadExecutor());
        server.createContext("/burn", exchange -> {
            double before = cpuSeconds();
            String query = exchange.getRequestURI().getQuery();
            double seconds = Double.parseDouble(query.substring("ms=".length())) / 1e3;
            double sum = 0;
            while (cpuSeconds() - before < seconds) {
                for (int n = 0; n < 10_000; n++) {
                    sum += Math.sqrt(n);
                }
            }
            byte[] body = String.valueOf(sum).getBytes();
            var headers = exchange.getResponseHeaders();
            headers.set("X-Pid", String.valueOf(ProcessHandle.current().pid()));
            headers.set("X-Cpu-Seconds", String.valueOf(cpuSeconds() - before));
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
    }
}
