/* The commands, once: what each is called, works on and takes. Help is printed from it (cli.c). Constant. */
#include "daemon/cli.h"

#define FILE_OPTION                        \
    {                                      \
        OPTION_CONFIG, "the configuration" \
    }
#define JSON_OPTION                      \
    {                                    \
        OPTION_JSON, "JSON, for scripts" \
    }
#define NOTE_OPTION                                                \
    {                                                              \
        OPTION_NOTE, "why; kept with your login's name (required)" \
    }
#define DRY_OPTION                                                 \
    {                                                              \
        OPTION_DRY_RUN, "changes nothing, says what would be done" \
    }
#define LOOK_TEXT      "Exit code 0; 3: there is something to look at; 1: it could not be told; 2: misuse.\n"
#define DEED_TEXT      "Exit code 0: done; 3: nothing was there to do it to; 1: it could not be done; 2: misuse.\n"
#define ONE_OF_SEVERAL "where an order has several attempts, the one on this channel"

const struct command cli_commands[] = {
    {.name = "run",
     .run = command_run,
     .operands = "",
     .summary = "runs the daemon",
     .text = "Runs the daemon until SIGTERM. SIGHUP reads FILE again; a faulty one is refused whole.\n",
     .options = {FILE_OPTION, {OPTION_PROGRESS, "a line about the progress every second, on stdout"}}},
    {.name = "check",
     .run = command_check,
     .operands = "",
     .summary = "says whether configuration and database are fit to run",
     .text = "Says whether FILE and its database are fit to run: each fault with its place and its mend. "
             "Changes\n"
             "nothing; exit code 0 when fit, else 1.\n",
     .options = {FILE_OPTION, {OPTION_ORDER, "also settles this unpaid order as paid, and rolls that back"}}},
    {.name = "migrate",
     .run = command_migrate,
     .operands = "",
     .summary = "brings the database to this program's schema",
     .text = "Brings the database to this program's schema and installs the mapping of the order table. "
             "Doing it\n"
             "again does nothing. Connects by database.migrate_url.\n",
     .options = {FILE_OPTION}},
    {.name = "adopt",
     .run = command_adopt,
     .operands = "",
     .summary = "tracks unpaid orders that exist already",
     .text = "Tracks the unpaid orders that exist already. Doing it again does nothing.\n",
     .options = {FILE_OPTION,
                 {OPTION_SINCE, "how far to look back, as 2d"},
                 {OPTION_CHANNEL, "the channel of orders whose table does not say"}}},
    {.name = "query",
     .run = command_query,
     .operands = "CHANNEL NUMBER",
     .summary = "asks a channel once, shows everything, writes nothing",
     .text =
         "Asks CHANNEL once about the payment that it knows as NUMBER, and shows the request (secrets\n"
         "masked), the answer, what it proves, and what would be decided about an attempt made just now.\n"
         "Uses no database and writes nothing.\n"
         "Exit code 0: an answer about this number; 3: none (timeout, unauthorized, ...); 1: FILE is "
         "faulty;\n"
         "2: misuse.\n",
     .options = {FILE_OPTION,
                 {OPTION_ORDER_NO, "the shop's order number, where the channel is asked or answers by it"},
                 {OPTION_AMOUNT, "what the order costs, and in"},
                 {OPTION_CURRENCY, "which currency; without them the amount is not checked"},
                 {OPTION_METHOD, "the payment method"},
                 {OPTION_DATA, "what the channel needs beside the number, as track() is given it"},
                 {OPTION_SAVE, "keeps question and answer in a new folder in DIR, for makegood replay"},
                 JSON_OPTION}},
    {.name = "replay",
     .run = command_replay,
     .operands = "DIR",
     .summary = "reads stored answers by the present rules, shows what differs",
     .text = "Reads the stored answers in DIR (makegood query --save) by the rules of FILE, each at its "
             "recorded\n"
             "moment, and shows where evidence or verdict would differ from the recorded one. Uses no "
             "network and\n"
             "no database.\n"
             "Exit code 0: nothing differs; 3: something does; 1: FILE or a stored answer is faulty; 2: "
             "misuse.\n",
     .options = {FILE_OPTION, {OPTION_CHANNEL, "the channel of stored answers whose order.json names none"}}},
    {.name = "status",
     .run = command_status,
     .operands = "",
     .summary = "tells how it stands: channels, backlog, money at risk, daemons",
     .text = "Tells how it stands, by channel: what waits, how old, how much money, how the channel answers, "
             "how many\n"
             "payments' notifications stayed away within the last hour; what is parked, and which daemons "
             "live.\n" LOOK_TEXT,
     .options = {FILE_OPTION, {OPTION_WATCH, "again and again, as 2s, until interrupted"}, JSON_OPTION}},
    {.name = "list",
     .run = command_list,
     .operands = "",
     .summary = "lists lost orders, waiting and parked",
     .text = "Lists lost orders, the oldest first.\n"
             "Exit code 0; 3: none is like that; 1: they could not be listed; 2: misuse.\n",
     .options = {FILE_OPTION,
                 {OPTION_CHANNEL, "of this channel"},
                 {OPTION_OLDER, "tracked longer ago, as 2h"},
                 {OPTION_PARKED, "parked ones"},
                 {OPTION_REASON, "parked for this reason"},
                 {OPTION_RISKIEST, "the largest amounts first"},
                 {OPTION_MOST, "not more than so many (50)"},
                 JSON_OPTION}},
    {.name = "history",
     .run = command_history,
     .operands = "ORDER",
     .summary = "tells every question about an order, and every decision",
     .text = "Tells what was asked about ORDER and what was decided, and what operators did, in order.\n"
             "Exit code 0; 3: nothing was asked or done; 1: it could not be told; 2: misuse.\n",
     .options = {FILE_OPTION, JSON_OPTION}},
    {.name = "explain",
     .run = command_explain,
     .operands = "ORDER",
     .summary = "tells why an order is not resolved, and what happens next",
     .text = "Tells of each attempt to pay ORDER why it is not resolved, what happens next and when, and "
             "which rule\n"
             "and limits apply.\n"
             "Exit code 0; 3: no attempt waits or is parked; 1: it could not be told; 2: misuse.\n",
     .options = {FILE_OPTION, JSON_OPTION}},
    {.name = "retry",
     .run = command_retry,
     .operands = "[ORDER]",
     .summary = "asks about orders now",
     .text = "Asks about ORDER now, or about all orders of a channel, or all that were parked for a reason. "
             "Parked ones\n"
             "go back into the cycle.\n" DEED_TEXT,
     .options = {FILE_OPTION,
                 {OPTION_CHANNEL, "of this channel"},
                 {OPTION_REASON, "parked for this reason"},
                 NOTE_OPTION,
                 DRY_OPTION,
                 JSON_OPTION}},
    {.name = "park",
     .run = command_park,
     .operands = "ORDER",
     .summary = "takes an order out of the cycle, for a person to decide",
     .text = "Takes ORDER out of the cycle, for a person to decide. What is being asked about it right now "
             "is settled\n"
             "no more.\n" DEED_TEXT,
     .options = {FILE_OPTION, {OPTION_CHANNEL, ONE_OF_SEVERAL}, NOTE_OPTION, DRY_OPTION, JSON_OPTION}},
    {.name = "unpark",
     .run = command_unpark,
     .operands = "[ORDER]",
     .summary = "puts parked orders back into the cycle",
     .text =
         "Puts ORDER, or all that were parked on a channel or for a reason, back into the cycle.\n" DEED_TEXT,
     .options = {FILE_OPTION,
                 {OPTION_CHANNEL, "of this channel"},
                 {OPTION_REASON, "parked for this reason"},
                 NOTE_OPTION,
                 DRY_OPTION,
                 JSON_OPTION}},
    {.name = "resolve",
     .run = command_resolve,
     .operands = "ORDER",
     .summary = "ends an order by hand: paid or closed",
     .text = "Ends ORDER by hand, on the way that a daemon settles it. Above operators.approve_above a "
             "second login has\n"
             "to approve it first.\n"
             "Exit code 0: done; 3: it waits for approval; 1: it could not be done; 2: misuse.\n",
     .options = {FILE_OPTION,
                 {OPTION_AS, "what it becomes (required)"},
                 {OPTION_TRADE_NO, "the channel's own number of the payment (required for paid)"},
                 {OPTION_CHANNEL, ONE_OF_SEVERAL},
                 {OPTION_ATTEMPT, "the same by the attempt's own number, as makegood explain tells it"},
                 NOTE_OPTION,
                 DRY_OPTION,
                 JSON_OPTION}},
    {.name = "approve",
     .run = command_approve,
     .operands = "[NUMBER]",
     .summary = "approves what another operator resolved; lists what waits for it",
     .text = "Approves the resolution NUMBER that another login asked for, and carries it out. Without "
             "NUMBER: lists what\n"
             "waits for approval.\n"
             "Exit code 0: done, or nothing waits; 3: something waits; 1: it could not be done; 2: misuse.\n",
     .options = {FILE_OPTION, NOTE_OPTION, DRY_OPTION, JSON_OPTION}},
    {.name = "pause",
     .run = command_pause,
     .operands = "CHANNEL",
     .summary = "no daemon asks a channel until it is resumed",
     .text = "No daemon asks CHANNEL any more, at once, for a time or until it is resumed.\n" DEED_TEXT,
     .options = {FILE_OPTION,
                 {OPTION_FOR, "how long, as 2h; else until resumed"},
                 NOTE_OPTION,
                 DRY_OPTION,
                 JSON_OPTION}},
    {.name = "resume",
     .run = command_resume,
     .operands = "CHANNEL",
     .summary = "ends a pause",
     .text = "Ends the pause of CHANNEL.\n" DEED_TEXT,
     .options = {FILE_OPTION, NOTE_OPTION, DRY_OPTION, JSON_OPTION}},
    {.name = "halt",
     .run = command_halt,
     .operands = "",
     .summary = "the kill switch: nothing is asked and nothing is settled",
     .text = "The kill switch: from now on no daemon asks anything, and no order ends, until it is "
             "lifted.\n" DEED_TEXT,
     .options = {FILE_OPTION, NOTE_OPTION, DRY_OPTION, JSON_OPTION}},
    {.name = "lift",
     .run = command_lift,
     .operands = "",
     .summary = "ends a halt",
     .text = "Ends a halt.\n" DEED_TEXT,
     .options = {FILE_OPTION, NOTE_OPTION, DRY_OPTION, JSON_OPTION}},
    {.name = "audit",
     .run = command_audit,
     .operands = "verify|anchor|retention",
     .summary = "does the audit hold? its anchor, and its retention",
     .text = "verify     reads the audit again and holds it against its chain of hashes\n"
             "anchor     prints the end of the chain, to be kept where nobody who may change the database "
             "may change it\n"
             "retention  detaches whole months that are older and sealed (by database.migrate_url); a "
             "detached month is a\n"
             "           table of its own, which its owner dumps and drops\n"
             "Exit code 0: it holds, or done; 3: it does not hold, or nothing is sealed yet; 1: it could not "
             "be told;\n"
             "2: misuse.\n",
     .options = {FILE_OPTION,
                 {OPTION_ANCHOR, "verify: the chain must hold this link, which was kept elsewhere"},
                 {OPTION_KEEP, "retention: so many whole months stay, beside the present one"},
                 DRY_OPTION,
                 JSON_OPTION}},
    {.name = "config",
     .run = command_config,
     .operands = "",
     .summary = "prints every key of the configuration, or a sample file",
     .text =
         "Prints every key of the configuration: type, range, default, and whether a reload applies it.\n",
     .options = {{OPTION_SAMPLE, "prints a complete, commented file to begin with"}}},
    {.name = NULL},
};
