// A webhook receiver on the JDK's own HTTP server, as its users write one.
// usage: java [-Dsun.net.httpserver.idleInterval=S ...] Receiver.java PORT RECORD
// /hook is read and answered with 204, /refuse is answered with 413 before the body is read.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.FileOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;

public class Receiver {
    private static FileOutputStream record;

    private static synchronized void note(HttpExchange exchange, long bytes) throws IOException {
        String line = exchange.getRequestHeaders().getFirst("webhook-id") + " "
            + exchange.getRequestURI().getPath() + " " + bytes + "\n";
        record.write(line.getBytes(StandardCharsets.US_ASCII));
    }

    private static void accept(HttpExchange exchange) throws IOException {
        note(exchange, exchange.getRequestBody().readAllBytes().length);
        exchange.sendResponseHeaders(204, -1);
        exchange.close();
    }

    private static void refuse(HttpExchange exchange) throws IOException {
        note(exchange, 0);
        exchange.sendResponseHeaders(413, -1);
        exchange.close();
    }

    public static void main(String[] args) throws IOException {
        int port = Integer.parseInt(args[0]);
        record = new FileOutputStream(args[1], true);
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 256);
        server.createContext("/hook", Receiver::accept);
        server.createContext("/refuse", Receiver::refuse);
        server.setExecutor(Executors.newFixedThreadPool(64));
        server.start();
    }
}
