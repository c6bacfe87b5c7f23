/**
 * @file
 * Iterations over keys, fields and members, page by page.
 */

#ifndef KEYLESS_SCAN_HPP
#define KEYLESS_SCAN_HPP

#include "commands/types.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>

namespace keyless {

/**
 * An iteration for one `for`: `for (const auto &key : client.scan_range("user:*"))`.
 *
 * Asks for the next page when the one before is through, and throws then what went wrong. As in Redis: what is there all
 * the time is given at least once, what comes or goes meanwhile perhaps. Its client must outlive it. One thread.
 */
template <typename Value>
class ScanRange {
public:
    /** Asks for the page at a cursor. */
    using Fetch = std::function<std::pair<Cursor, std::vector<Value>>(Cursor)>;

    /** Goes on by `fetch`. */
    explicit ScanRange(Fetch fetch) : fetch_(std::move(fetch)) {}

    /** Walks over one iteration. */
    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Value;
        using difference_type = std::ptrdiff_t;
        using pointer = const Value *;
        using reference = const Value &;

        /** The end. */
        Iterator() = default;
        /** Where an iteration is. */
        explicit Iterator(ScanRange *range) : range_(range) {}

        const Value &operator*() const noexcept { return range_->page_[range_->index_]; }
        const Value *operator->() const noexcept { return &**this; }
        Iterator &operator++() {
            ++range_->index_;
            range_->fill();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator &left, const Iterator &right) noexcept {
            return left.ended() == right.ended();
        }
        friend bool operator!=(const Iterator &left, const Iterator &right) noexcept { return !(left == right); }

    private:
        bool ended() const noexcept { return range_ == nullptr || range_->index_ == range_->page_.size(); }

        ScanRange *range_ = nullptr;
    };

    /** Begins anew. */
    Iterator begin() {
        page_.clear();
        index_ = 0;
        more_ = true;
        cursor_ = 0;
        fill();
        return Iterator(this);
    }

    /** The end. */
    Iterator end() const noexcept { return Iterator(); }

private:
    /** Makes sure that there is something, unless it is over. */
    void fill() {
        while (index_ == page_.size() && more_) {
            auto [next, page] = fetch_(cursor_);
            page_ = std::move(page);
            index_ = 0;
            cursor_ = next;
            more_ = next != 0;
        }
    }

    Fetch fetch_;
    std::vector<Value> page_;
    std::size_t index_ = 0;
    Cursor cursor_ = 0;
    bool more_ = true;
};

namespace detail {

/** Pages of keys, on a cluster of those of all nodes. Cursors only tell the begin (0) and the end (0) from the middle. */
class KeyPages {
public:
    KeyPages(const keyless_client *client, std::string_view pattern, long long count, std::string_view type)
        : client_(client), pattern_(pattern), type_(type),
          count_(static_cast<std::uint32_t>(std::clamp<long long>(count, 0, UINT32_MAX))) {}

    std::pair<Cursor, std::vector<std::string>> operator()(Cursor cursor) {
        keyless_error *error = nullptr;
        if (cursor == 0) {
            keyless_scan *scan = nullptr;
            keyless_scan_new(client_, text(pattern_), pattern_.size(), text(type_), type_.size(), count_, &scan, &error);
            scan_.reset(scan, keyless_scan_free);
        }
        keyless_reply *reply = nullptr;
        if (error == nullptr) {
            keyless_scan_next(scan_.get(), &reply, &error);
        }
        detail::outcome(error).value();
        if (reply == nullptr) {
            return {0, {}};
        }
        return {1, Reply(reply).as<std::vector<std::string>>()};
    }

private:
    const keyless_client *client_;
    std::string pattern_;
    std::string type_;
    std::uint32_t count_;
    /** Shared because functions are copied. */
    std::shared_ptr<keyless_scan> scan_;
};

} // namespace detail

} // namespace keyless

#endif
