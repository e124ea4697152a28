/*
 * page_shell.c - what stands around the readings on GET /temp.
 *
 * The dashboard's parts stand here as they are before the first reading has come;
 * static/temp/main.js finds them by their ids and data attributes. theme.js is no module: it must
 * run before anything is drawn.
 */
#include "handlers/sensor/page/page.h"

static const char head_begin[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<title>Temperatures · ";
static const char head_base[] =
    "</title>\n"
    "<link rel=\"icon\" href=\"/static/favicon.svg\" type=\"image/svg+xml\">\n"
    "<link rel=\"stylesheet\" href=\"/static/style.css\">\n";
static const char head_chart[] =
    "<link rel=\"stylesheet\" href=\"/static/vendor/uPlot.min.css\">\n";
static const char head_styles[] =
    "<link rel=\"stylesheet\" href=\"/static/temp/dashboard.css\">\n"
    "<link rel=\"stylesheet\" href=\"/static/temp/dark.css\" id=\"dark\" "
    "media=\"(prefers-color-scheme: dark)\">\n";
static const char head_scripts[] =
    "<script src=\"/static/temp/theme.js\"></script>\n"
    "<script src=\"/static/vendor/uPlot.iife.min.js\" defer></script>\n"
    "<script type=\"module\" src=\"/static/temp/main.js\"></script>\n";
static const char head_end[] =
    "</head>\n"
    "<body class=\"readings\">\n"
    "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n"
    "<header class=\"site\">\n"
    "<a class=\"name\" href=\"/\"><img src=\"/static/favicon.svg\" alt=\"\" width=\"32\" "
    "height=\"32\">";
static const char navigation[] =
    "</a>\n"
    "<nav aria-label=\"Site\">\n<ul>\n"
    "<li><a href=\"/\">Home</a></li>\n"
    "<li><a href=\"/temp\" aria-current=\"page\">Temperatures</a></li>\n"
    "<li><a href=\"/about\">About</a></li>\n"
    "</ul>\n</nav>\n"
    "</header>\n"
    "<main id=\"main\" tabindex=\"-1\">\n"
    "<div class=\"where\">\n"
    "<h1>Temperatures</h1>\n"
    "<p><span id=\"span\"></span><span id=\"length\" class=\"soft\"></span></p>\n"
    "</div>\n";

/* ---- The dashboard ---- */

static const char states[] =
    "<p id=\"waiting\" class=\"soft\" hidden>Asking for the readings…</p>\n"
    "<p id=\"notice\" class=\"notice\" role=\"status\" hidden></p>\n"
    "<p id=\"said\" class=\"hearable\" aria-live=\"polite\"></p>\n";
static const char controls[] =
    "<div id=\"dashboard\" hidden>\n"
    "<div class=\"controls\">\n"
    "<div class=\"segments spans\" role=\"group\" aria-label=\"Span\">\n"
    "<button type=\"button\" data-span=\"day\">Day</button>\n"
    "<button type=\"button\" data-span=\"week\">Week</button>\n"
    "<button type=\"button\" data-span=\"month\">Month</button>\n"
    "<button type=\"button\" data-span=\"year\">Year</button>\n"
    "<button type=\"button\" data-span=\"all\">All</button>\n"
    "</div>\n"
    "<div class=\"segments move\" role=\"group\" aria-label=\"Move and zoom\">\n"
    "<button type=\"button\" class=\"sign\" data-pan=\"-0.5\" aria-label=\"Earlier\">‹</button>\n"
    "<button type=\"button\" class=\"sign\" data-pan=\"0.5\" aria-label=\"Later\">›</button>\n"
    "<button type=\"button\" class=\"sign\" data-zoom=\"2\" aria-label=\"Zoom out\">−</button>\n"
    "<button type=\"button\" class=\"sign\" data-zoom=\"0.5\" aria-label=\"Zoom in\">+</button>\n"
    "</div>\n"
    "<div class=\"group\">\n"
    "<div class=\"segments\" role=\"group\" aria-label=\"Temperature unit\">\n"
    "<button type=\"button\" data-unit=\"F\" title=\"Fahrenheit\">°F</button>\n"
    "<button type=\"button\" data-unit=\"C\" title=\"Celsius\">°C</button>\n"
    "</div>\n"
    "<div class=\"segments\" role=\"group\" aria-label=\"Show as\">\n"
    "<button type=\"button\" data-show=\"chart\">Chart</button>\n"
    "<button type=\"button\" data-show=\"table\">Table</button>\n"
    "</div>\n"
    "<span class=\"select\"><select id=\"theme\" class=\"choice\" aria-label=\"Colours\">\n"
    "<option value=\"auto\">Auto</option>\n"
    "<option value=\"light\">Light</option>\n"
    "<option value=\"dark\">Dark</option>\n"
    "</select></span>\n"
    "</div>\n"
    "</div>\n";
static const char views[] =
    "<div id=\"tiles\" class=\"tiles\" role=\"group\" aria-label=\"Sensors: switch their lines on "
    "and off\"></div>\n"
    "<div id=\"plots\" class=\"card\" tabindex=\"0\" role=\"application\" aria-label=\"Chart of "
    "temperature and humidity\" aria-describedby=\"hint\">\n"
    "<div class=\"plot\" data-quantity=\"temperature\"><h2>Temperature <small "
    "class=\"unit\">°F</small></h2><div class=\"box\"></div></div>\n"
    "<div class=\"plot\" data-quantity=\"humidity\"><h2>Humidity <small>%</small></h2><div "
    "class=\"box\"></div></div>\n"
    "<p id=\"nothing\" class=\"nothing\" hidden></p>\n"
    "<div id=\"readout\" class=\"readout\" hidden></div>\n"
    "<p id=\"hint\" class=\"hint\"><span class=\"mouse\">Scroll to zoom, drag to move, Shift and "
    "drag to pick a span. Keys: arrows, + and −, Home, End, 0.</span><span class=\"touch\">Pinch "
    "to zoom, swipe to move, tap to read.</span></p>\n"
    "</div>\n"
    "<section id=\"values\" class=\"card\" hidden>\n"
    "<h2>Means <small class=\"unit\">°F</small></h2>\n"
    "<div class=\"wide values\" tabindex=\"0\" role=\"region\" aria-label=\"Means of each sensor "
    "over time\"><table id=\"cells\"></table></div>\n"
    "</section>\n"
    "<section class=\"card\">\n"
    "<h2>Sensors</h2>\n"
    "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Sensors, in the span that is "
    "shown\"><table id=\"sensors\"></table></div>\n"
    "</section>\n"
    "</div>\n";

static const char foot[] = "</main>\n"
                           "<footer class=\"foot\">\n"
                           "<p>All readings <a href=\"/api/v1/export.csv\">as CSV</a>, "
                           "<a href=\"/api/v1/export.ndjson\">as JSON lines</a>, "
                           "<a href=\"/api/v1/export.bin\">as records</a>. ";
static const char foot_plain[] = "<a href=\"/temp?plain=1\">Without script</a>.";
static const char foot_script[] = "<a href=\"/temp\">With script</a>.";
static const char foot_end[] = "</p>\n</footer>\n</body>\n</html>\n";

void page_append_head(struct buffer *html, const struct sensor *sensor, bool script)
{
    struct view station = view_of(sensor->station_name);
    buffer_append_text(html, head_begin);
    buffer_append_html(html, station);
    buffer_append_text(html, head_base);
    if (script)
        buffer_append_text(html, head_chart);
    buffer_append_text(html, head_styles);
    if (script)
        buffer_append_text(html, head_scripts);
    buffer_append_text(html, head_end);
    buffer_append_html(html, station);
    buffer_append_text(html, navigation);
}

void page_append_dashboard(struct buffer *html)
{
    buffer_append_text(html, states);
    buffer_append_text(html, controls);
    buffer_append_text(html, views);
}

void page_append_empty(struct buffer *html, const struct request *request, bool shown)
{
    struct view host = request->host.length > 0 ? request->host : VIEW("localhost");
    buffer_append_text(html, shown ? "<div id=\"empty\">\n" : "<div id=\"empty\" hidden>\n");
    buffer_append_text(
        html,
        "<p>There is no reading to show yet. This sends a first one; <code>hearth token new --name "
        "station --scope data:write</code> makes the token.</p>\n<pre><code>curl -X PUT ");
    buffer_append_html(html, request->scheme);
    buffer_append_text(html, "://");
    buffer_append_html(html, host);
    buffer_append_text(html, "/data -H &quot;Authorization: Bearer $TOKEN&quot; \\\n"
                             "  -d '{&quot;channel&quot;:1,&quot;rolling_code&quot;:107,"
                             "&quot;temperature_F&quot;:74.4,&quot;humidity&quot;:35}'"
                             "</code></pre>\n</div>\n");
}

void page_append_foot(struct buffer *html, bool script)
{
    buffer_append_text(html, foot);
    buffer_append_text(html, script ? foot_plain : foot_script);
    buffer_append_text(html, foot_end);
}
