/*
 * The peer SQLiteCpp: statements prepared once, values through its Column, on the system's SQLite.
 *
 * Spoken to in lines of JSON; docs/benchmarks.md says what each line means, plan.c has the same functions in C.
 * The lines are read by SQLite's own JSON functions.
 */
#include <SQLiteCpp/SQLiteCpp.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Value = std::variant<std::int64_t, double, std::string>;
using Values = std::vector<Value>;

constexpr std::uint32_t HASH_START = 2166136261u;

/* A line, and what is at a path of it. */
class Json {
public:
    explicit Json(std::string text) : text_(std::move(text)), db_(":memory:") {}

    bool has(const std::string &path)
    {
        SQLite::Statement s(db_, "SELECT json_type(?, ?) IS NOT NULL AND json_type(?, ?) <> 'null'");
        s.bind(1, text_);
        s.bind(2, path);
        s.bind(3, text_);
        s.bind(4, path);
        s.executeStep();
        return s.getColumn(0).getInt() != 0;
    }

    std::string text(const std::string &path)
    {
        SQLite::Statement s(db_, "SELECT json_extract(?, ?)");
        s.bind(1, text_);
        s.bind(2, path);
        s.executeStep();
        return s.getColumn(0).getString();
    }

    std::int64_t number(const std::string &path)
    {
        SQLite::Statement s(db_, "SELECT json_extract(?, ?)");
        s.bind(1, text_);
        s.bind(2, path);
        s.executeStep();
        return s.getColumn(0).getInt64();
    }

    std::vector<std::string> texts(const std::string &path)
    {
        std::vector<std::string> found;
        SQLite::Statement s(db_, "SELECT value FROM json_each(?, ?)");
        s.bind(1, text_);
        s.bind(2, path);
        while (s.executeStep())
            found.push_back(s.getColumn(0).getString());
        return found;
    }

private:
    std::string text_;
    SQLite::Database db_;
};

struct Param {
    std::string from, prefix;
    std::uint64_t mod, add;
};

struct Plan {
    std::string kind, sql, empty, content;
    std::vector<std::string> pragmas, schema;
    std::vector<Param> params;
    std::uint64_t batch;
};

Plan plan_of(Json &line)
{
    Plan p;

    p.kind = line.text("$.plan.kind");
    /* It has no way to JSON of its own; so it has SQLite make it. */
    p.sql = line.text(p.kind == "json" ? "$.plan.sql_json1" : "$.plan.sql");
    p.empty = line.has("$.plan.empty") ? line.text("$.plan.empty") : "";
    p.content = line.has("$.plan.content") ? line.text("$.plan.content") : "";
    p.pragmas = line.texts("$.plan.pragmas");
    p.schema = line.texts("$.plan.schema");
    p.batch = static_cast<std::uint64_t>(line.number("$.plan.batch"));
    for (std::size_t i = 0; line.has("$.plan.params[" + std::to_string(i) + "]"); i++) {
        const std::string at = "$.plan.params[" + std::to_string(i) + "].";

        p.params.push_back({line.text(at + "from"), line.text(at + "prefix"),
                            static_cast<std::uint64_t>(line.number(at + "mod")),
                            static_cast<std::uint64_t>(line.number(at + "add"))});
    }
    return p;
}

std::uint32_t mix(std::uint32_t x)
{
    x = (x ^ (x >> 16)) * 0x45d9f3bu;
    x = (x ^ (x >> 16)) * 0x45d9f3bu;
    return x ^ (x >> 16);
}

Values values_of(const Plan &plan, std::uint64_t number)
{
    Values values;

    for (const Param &p : plan.params) {
        if (p.from == "integer")
            values.emplace_back(static_cast<std::int64_t>(number % p.mod + p.add));
        else if (p.from == "halves")
            values.emplace_back(static_cast<double>(number % p.mod) * 1.5);
        else if (p.from == "random")
            values.emplace_back(static_cast<std::int64_t>(mix(static_cast<std::uint32_t>(number + p.add)) % p.mod + 1));
        else
            values.emplace_back(p.prefix + std::to_string(number % p.mod));
    }
    return values;
}

std::uint32_t hash_bytes(std::uint32_t hash, const char *bytes, std::size_t n)
{
    for (std::size_t i = 0; i < n; i++)
        hash = (hash ^ static_cast<unsigned char>(bytes[i])) * 16777619u;
    return hash;
}

std::uint32_t hash_text(std::uint32_t hash, const std::string &text)
{
    return hash_bytes(hash, text.data(), text.size());
}

class Peer {
public:
    Peer(const std::string &path, Plan plan)
        : plan_(std::move(plan)), db_(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX)
    {
        for (const std::string &sql : plan_.pragmas)
            db_.exec(sql);
        for (const std::string &sql : plan_.schema)
            db_.exec(sql);
        statement_ = std::make_unique<SQLite::Statement>(db_, plan_.sql);
    }

    void prepare()
    {
        if (!plan_.empty.empty())
            db_.exec(plan_.empty);
    }

    std::uint32_t hash(std::uint64_t operations)
    {
        const std::vector<Values> block = block_of(0, operations);
        std::uint32_t hash = HASH_START;

        if (plan_.content.empty()) {
            for (std::size_t i = 0; i < block.size(); i++) {
                bind(*statement_, block[i]);
                hash = hash_rows(*statement_, hash);
            }
            return hash;
        }
        prepare();
        for (std::uint64_t i = 0; i < operations; i++)
            operate(block, i);
        SQLite::Statement content(db_, plan_.content);
        return hash_rows(content, hash);
    }

    std::string run(std::uint64_t first, std::uint64_t count, bool each)
    {
        const std::vector<Values> block = block_of(first, count);
        std::string times;
        double sum = 0;
        const auto started = Clock::now();
        auto before = started;

        for (std::uint64_t i = 0; i < count; i++) {
            sum += operate(block, i);
            if (each) {
                const auto now = Clock::now();

                times += (i > 0 ? "," : "") + std::to_string(nanoseconds(now - before));
                before = Clock::now();
            }
        }
        char answer[96];
        std::snprintf(answer, sizeof answer, "{\"ns\":%lld,\"sum\":%.1f",
                      static_cast<long long>(nanoseconds(Clock::now() - started)), sum);
        return answer + (each ? ",\"each\":[" + times + "]}" : std::string("}"));
    }

private:
    template <typename Duration> static std::int64_t nanoseconds(Duration d)
    {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
    }

    /* The values of all operations; of a batch, those of each row. */
    std::vector<Values> block_of(std::uint64_t first, std::uint64_t count) const
    {
        const std::uint64_t each = plan_.kind == "batch" ? plan_.batch : 1;
        std::vector<Values> block;

        block.reserve(count * each);
        for (std::uint64_t i = 0; i < count * each; i++)
            block.push_back(values_of(plan_, first * each + i));
        return block;
    }

    static void bind(SQLite::Statement &s, const Values &values)
    {
        int at = 1;

        s.reset();
        for (const Value &v : values) {
            if (const auto *text = std::get_if<std::string>(&v))
                s.bindNoCopy(at++, *text);
            else if (const auto *real = std::get_if<double>(&v))
                s.bind(at++, *real);
            else
                s.bind(at++, std::get<std::int64_t>(v));
        }
    }

    static double visit(SQLite::Statement &s)
    {
        const int columns = s.getColumnCount();
        double sum = 0;

        while (s.executeStep()) {
            for (int i = 0; i < columns; i++) {
                const SQLite::Column column = s.getColumn(i);

                if (column.isText()) {
                    const char *text = column.getText();
                    const int n = column.getBytes();

                    sum += n > 0 ? n + text[0] + text[n - 1] : 0;
                } else if (column.isInteger()) {
                    sum += static_cast<double>(column.getInt64());
                } else if (column.isFloat()) {
                    sum += column.getDouble();
                }
            }
        }
        s.reset();
        return sum;
    }

    std::uint32_t hash_rows(SQLite::Statement &s, std::uint32_t hash) const
    {
        while (s.executeStep()) {
            for (int i = 0; i < s.getColumnCount(); i++)
                hash = hash_column(s.getColumn(i), hash);
            if (plan_.kind != "json")
                hash = hash_text(hash, "\n");
        }
        s.reset();
        return hash;
    }

    std::uint32_t hash_column(const SQLite::Column &column, std::uint32_t hash) const
    {
        char number[48];

        if (plan_.kind == "json")
            return hash_json(hash, column.getString());
        if (column.isText())
            return hash_text(hash, "t" + std::to_string(column.getBytes()) + ":" + column.getString());
        if (column.isNull())
            return hash_text(hash, "z;");
        std::snprintf(number, sizeof number, "n%.0f;", 2 * column.getDouble());
        return hash_text(hash, number);
    }

    /* Without the ".0" after whole numbers. */
    static std::uint32_t hash_json(std::uint32_t hash, const std::string &json)
    {
        for (std::size_t i = 0; i < json.size(); i++) {
            if (i + 2 < json.size() && json[i] == '.' && json[i + 1] == '0' &&
                (json[i + 2] == ',' || json[i + 2] == '}'))
                i += 2;
            hash = hash_bytes(hash, &json[i], 1);
        }
        return hash;
    }

    double operate(const std::vector<Values> &block, std::uint64_t i)
    {
        if (plan_.kind == "batch")
            return batch(block, i * plan_.batch);
        bind(*statement_, block[i]);
        if (plan_.kind == "execute")
            return statement_->exec();
        return visit(*statement_);
    }

    double batch(const std::vector<Values> &block, std::uint64_t at)
    {
        SQLite::Transaction transaction(db_, SQLite::TransactionBehavior::IMMEDIATE);

        for (std::uint64_t i = 0; i < plan_.batch; i++) {
            bind(*statement_, block[at + i]);
            statement_->exec();
        }
        statement_->reset();
        transaction.commit();
        return static_cast<double>(plan_.batch);
    }

    Plan plan_;
    SQLite::Database db_;
    std::unique_ptr<SQLite::Statement> statement_;
};

std::string answer_to(Json &line, std::unique_ptr<Peer> &peer)
{
    if (line.has("$.open")) {
        peer = std::make_unique<Peer>(line.text("$.open"), plan_of(line));
        return "{\"ok\":true}";
    }
    if (!peer)
        throw std::runtime_error("nothing is open");
    if (line.has("$.prepare")) {
        peer->prepare();
        return "{\"ok\":true}";
    }
    if (line.has("$.hash"))
        return "{\"hash\":" + std::to_string(peer->hash(static_cast<std::uint64_t>(line.number("$.hash")))) + "}";
    return peer->run(static_cast<std::uint64_t>(line.number("$.run.first")),
                     static_cast<std::uint64_t>(line.number("$.run.count")), line.number("$.run.each") != 0);
}

/* Of a message, what needs no escape in JSON. */
std::string plain(const char *message)
{
    std::string text;

    for (; *message; message++)
        text += *message == '"' || *message == '\\' || static_cast<unsigned char>(*message) < ' ' ? ' ' : *message;
    return text;
}

} // namespace

int main(int argc, char **argv)
{
    std::unique_ptr<Peer> peer;
    std::string text;

    if (argc > 1 && std::string(argv[1]) == "--version") {
        std::cout << "SQLiteCpp " << SQLITECPP_VERSION << ", SQLite " << SQLite::getLibVersion() << std::endl;
        return 0;
    }
    while (std::getline(std::cin, text)) {
        try {
            Json line(text);

            std::cout << answer_to(line, peer) << std::endl;
        } catch (const std::exception &error) {
            std::cout << "{\"error\":\"" << plain(error.what()) << "\"}" << std::endl;
        }
    }
    return 0;
}
