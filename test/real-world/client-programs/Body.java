import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.zip.GZIPInputStream;

/** Writes the decoded body of a response to stdout as it comes: Body.java URL [LAST-EVENT-ID] */
class Body {
  public static void main(String[] args) throws Exception {
    var request = HttpRequest.newBuilder(URI.create(args[0]))
        .header("Accept", "text/event-stream")
        .header("Accept-Encoding", "gzip");
    if (args.length > 1 && !args[1].isEmpty()) request.header("Last-Event-ID", args[1]);
    var response = HttpClient.newHttpClient().send(request.build(), BodyHandlers.ofInputStream());
    var isCompressed = response.headers().firstValue("Content-Encoding").orElse("").equals("gzip");
    try (InputStream body = isCompressed ? new GZIPInputStream(response.body()) : response.body()) {
      var buffer = new byte[8192];
      for (int length; (length = body.read(buffer)) >= 0; System.out.flush()) {
        System.out.write(buffer, 0, length);
      }
    }
  }
}
