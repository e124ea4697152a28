/*
 * commands.c - the table of commands. A new command is a row here and a function in a file of its
 * own.
 */
#include "app/cli/cli.h"

#include <string.h>

const struct command cli_commands[] = {
    {"check", "Check a configuration, and show what is in force",
     "check [--effective | --json] [FILE]\n"
     "check --sample | --manual",
     "Names every problem of the configuration as FILE:LINE: key: what is wrong, and ends with 2\n"
     "when there is one.\n"
     "\n"
     "  --effective  print every key with its value and where it was set; secrets are masked\n"
     "  --json       print {\"ok\", \"path\", \"problems\": [{\"where\", \"key\", \"what\"}]}\n"
     "  --sample     print the annotated sample, every key with its default\n"
     "  --manual     print the keys as they stand in hearth.conf(5)\n",
     cli_check},
    {"token", "Make, list and revoke tokens",
     "token new --name NAME --scope SCOPE[,SCOPE...] [--unit UNIT] [--time-zone ZONE] [--json]\n"
     "token list [--json]\n"
     "token revoke ID|NAME",
     "A token is shown once, when it is made; only its hash is stored. Running pools notice a\n"
     "change within auth.reload_interval_ms. Run as root, the command works as the owner of the\n"
     "object store, so that the pool can read what it writes.\n"
     "\n"
     "  --name NAME       what the token is for, 1 to 64 bytes\n"
     "  --scope SCOPES    data:read data:write posts:write media:write ops:read ops:write\n"
     "  --unit UNIT       of a bare temperature: tenths_f (default), tenths_c, f or c\n"
     "  --time-zone ZONE  of times without an offset, like America/Denver (default UTC)\n"
     "  --json            print JSON\n",
     cli_token},
    {"import", "Take files of readings into the store",
     "import [--format FORMAT] [--dry-run] [--restart] [--unit UNIT] [--time-zone ZONE]\n"
     "import ... [--rolling-code N] [--store DIRECTORY] [--json] [--quiet] FILE...",
     "Reads JSON lines, CSV and records (.bin); - is standard input. A reading that is there\n"
     "already is counted as duplicate and changes nothing. What is no reading goes into\n"
     "quarantine, and is counted by reason with the first lines where it stood. An import that\n"
     "is broken off goes on where it stopped when the same command is given again.\n"
     "\n"
     "  --format FORMAT     jsonl, csv or bin; else the file's name or beginning tells\n"
     "  --dry-run           read and count, store nothing\n"
     "  --restart           begin anew, whatever an earlier import came to\n"
     "  --unit UNIT         of a bare temperature: tenths_f (default), tenths_c, f or c\n"
     "  --time-zone ZONE    of times without an offset, like America/Denver (default UTC)\n"
     "  --rolling-code N    of readings that name none\n"
     "  --store DIRECTORY   another store than the configuration's\n"
     "  --json              print the counts as JSON\n"
     "  --quiet             no progress\n",
     cli_import},
    {"export", "Write readings out of the store",
     "export [--from TIME] [--to TIME] [--series ID[,ID...]] [--format csv|ndjson|bin]\n"
     "export ... [--output FILE] [--unit F|C] [--time-zone ZONE] [--store DIRECTORY] [--quiet]",
     "In the order of time, one by one, suspect ones as well. A time is a day like 2025-09-14, a\n"
     "time like 2025-09-14T18:04:51Z, milliseconds since 1970, or now-24h.\n"
     "\n"
     "  --from TIME, --to TIME  from <= time < to\n"
     "  --series ID,...     these alone, as `hearth series list` names them\n"
     "  --format FORMAT     csv (default), ndjson or bin; else the end of the file's name tells\n"
     "  --output FILE       else standard output\n"
     "  --unit F|C          of temperatures (CSV: F; NDJSON: as they were sent)\n"
     "  --time-zone ZONE    of times (default UTC)\n"
     "  --store DIRECTORY   another store than the configuration's\n"
     "  --quiet             no progress\n",
     cli_export},
    {"series", "Name series, and tell which transmitters they were",
     "series list [--json]\n"
     "series name SERIES|TRANSMITTER NAME [--id ID]\n"
     "series alias SERIES TRANSMITTER [--from TIME] [--to TIME]\n"
     "series unit SERIES F|C|default\n"
     "series place SERIES PLACE\n"
     "series limit SERIES TIME|default\n"
     "series forget SERIES [TRANSMITTER [--from TIME]]",
     "A transmitter is CHANNEL-CODE, like 5-107. Its code changes with its battery, and comes\n"
     "again years later: so a series is one or more transmitters, each from a time to a time.\n"
     "The first name of a transmitter makes it a series.\n"
     "\n"
     "  list    what there is, with counts\n"
     "  name    what people see\n"
     "  alias   from TIME on the series is that transmitter, as after a change of battery; the\n"
     "          one before ends there. Without --from: its first reading that nobody claims\n"
     "  unit    in which temperatures are shown\n"
     "  place   where it is\n"
     "  limit   how long a reading holds: 7200, 90m, 2h, 1d (default: sensor.stale_after_s)\n"
     "  forget  the name, or one transmitter of it, goes; the readings stay\n"
     "\n"
     "  --id ID             of a new series; else it is made of the name\n"
     "  --store DIRECTORY   another store than the configuration's\n"
     "  --json              print JSON\n",
     cli_series},
    {"stat", "Tell what is stored, and where there are gaps",
     "stat [--store DIRECTORY] [--json] [--quiet]",
     "Counts, bytes for each reading, and of each series how much of the time it covers, how many\n"
     "gaps there are and the longest. Reads every record; takes no lock.\n"
     "\n"
     "  --store DIRECTORY   another store than the configuration's\n"
     "  --json              print JSON\n"
     "  --quiet             no progress\n",
     cli_stat},
    {"seal", "Seal what is live, now", "seal [--store DIRECTORY] [--json]",
     "Finishes the live file and writes its readings as sealed files, as happens by itself when a\n"
     "day is over. A running pool does it.\n"
     "\n"
     "  --store DIRECTORY   another store than the configuration's\n"
     "  --json              print {\"sealed\", \"readings\"}\n",
     cli_seal},
    {"verify", "Prove that the stored readings are as they were",
     "verify [--store DIRECTORY] [--json] [--quiet]",
     "Checks the manifest's chain, each sealed file's SHA-256, each record, their order, that no\n"
     "reading stands twice, that every file is named, and the summaries against the records.\n"
     "Each problem is a line with the file or the day; ends with 1 when there is one. Takes no\n"
     "lock and changes nothing.\n"
     "\n"
     "  --store DIRECTORY   another store than the configuration's, as a copy\n"
     "  --json              print {\"good\", ..., \"problems\": [{\"where\", \"what\"}]}\n"
     "  --quiet             no progress\n",
     cli_verify},
    {"summary", "Make the block summaries anew",
     "summary [--rebuild] [--year YEAR] [--store DIRECTORY] [--json] [--quiet]",
     "Summaries make wide queries fast; they follow from the readings and are never the truth.\n"
     "Without --rebuild what is missing is added.\n"
     "\n"
     "  --rebuild           all of it, whatever stands\n"
     "  --year YEAR         of that year's readings alone\n"
     "  --store DIRECTORY   another store than the configuration's\n"
     "  --json              print {\"years\", \"days\", \"built\"}\n"
     "  --quiet             no progress\n",
     cli_summary},
    {"demo", "Make up lifelike readings, to try things with",
     "demo [--years N] [--readings-per-day N] [--end TIME] [--seed N] [--names]\n"
     "demo ... [--output FILE | --seal-every DAYS] [--store DIRECTORY] [--json] [--quiet]",
     "A station of eight thermometers that send only changes, with seasons, weather, a freezer\n"
     "that defrosts, gaps, new batteries, and one reading in a hundred late. The same arguments\n"
     "give the same readings. They go into the store, or into a file for `hearth import`.\n"
     "\n"
     "  --years N               how many years (default 1)\n"
     "  --readings-per-day N    of all eight together (default 4000)\n"
     "  --end TIME              of the last one (default now)\n"
     "  --seed N                another number, other readings (default 1)\n"
     "  --names                 name the series, in the store, with every change of battery\n"
     "  --output FILE           a file: .bin, .jsonl or .csv\n"
     "  --seal-every DAYS       of the made-up time (default 1; 0: as the store sees fit)\n"
     "  --store DIRECTORY       another store than the configuration's\n"
     "  --json                  print the counts as JSON\n"
     "  --quiet                 no progress\n",
     cli_demo},
    {"help", "Show this, or the help of a command", "help [COMMAND]", "", cli_help},
    {"version", "Show the version", "version", "", cli_version},
    {0},
};

const struct command *cli_find_command(const char *name)
{
    for (const struct command *command = cli_commands; command->name; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}
