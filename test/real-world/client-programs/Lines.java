import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;

/** Writes a response to stdout as it comes: Lines.java URL LAST-EVENT-ID */
class Lines {
  public static void main(String[] args) throws Exception {
    var request = HttpRequest.newBuilder(URI.create(args[0])).header("Accept", "text/event-stream");
    if (!args[1].isEmpty()) request.header("Last-Event-ID", args[1]);
    var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    var response = HttpClient.newHttpClient().send(request.build(), BodyHandlers.ofLines());
    response.body().forEach(line -> out.print(line + "\n"));
  }
}
